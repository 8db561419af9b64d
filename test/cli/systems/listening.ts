// Listens when imported.
import { listen } from 'throughline/gateway'
import { talking } from '../../control/world.ts'

await listen([], { port: 0 })

export const services = talking
