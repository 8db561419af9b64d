// Listens when imported.
import { listen } from 'throughline/gateway'
import { talking } from '../../control/talking-services.ts'

await listen([], { port: 0 })

export const services = talking
