// Starts a system when imported, as the main.ts of a project does.
import { start } from 'throughline'
import { serve } from 'throughline/admin'
import { embedded } from 'throughline/embedded'
import { talking } from '../../control/talking-services.ts'

const app = await start(talking, embedded({ directory: 'data' }))
const served = await serve(app, { port: 0 })
console.log(`listens at ${served.gateway}`)

export const services = talking
