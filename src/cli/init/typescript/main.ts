// Starts the reading room. Only this file chooses the backend and serves HTTP.
import { start } from 'throughline'
import { serve } from 'throughline/admin'
import { embedded } from 'throughline/embedded'
import { Lending } from './contracts.ts'
import { services } from './service.ts'

const port = Number(process.env['PORT'] ?? 4400)
const app = await start(services, embedded({ directory: 'data' }))
const served = await serve(app, { port, expose: [Lending] })
console.log(`Commands and queries: ${served.gateway}`)
console.log(`Admin page:           ${served.page}`)

async function stop() {
  console.log('Stopping')
  await served.close()
  await app.stop()
}

process.once('SIGINT', stop)
process.once('SIGTERM', stop)
