// Sends seeded random requests to the shop over HTTP, and fails on any unexpected error.
//
//   npm run fuzz -- [--requests 20000] [--seed 42]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { start } from 'throughline'
import { serve } from 'throughline/admin'
import { embedded } from 'throughline/embedded'
import type { OpenApi } from 'throughline/gateway'
import { routes } from '../../examples/shop/gateway/routes.ts'
import { stockOnFirstSight } from '../../examples/shop/inventory.ts'
import { shop } from '../../examples/shop/services.ts'
import { seededRandom } from '../../src/base/random.ts'
import { gatewayTarget } from './gateway-requests.ts'
import { fuzz } from './send-fuzz.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '42' },
  },
})
const directory = mkdtempSync(join(tmpdir(), 'throughline-fuzz-'))
const faults: string[] = []
const app = await start(shop(stockOnFirstSight), embedded({ directory: join(directory, 'data') }), {
  onRuleError: ({ consumer, messageId, error }) =>
    faults.push(`${consumer} on ${messageId}: ${error}`),
  onBackendError: (group, cause) => faults.push(`${group}: ${String(cause)}`),
})
const broke = (id: string, cause: unknown): unknown => faults.push(`${id}: ${String(cause)}`)
const served = await serve(app, { port: 0, routes, onError: broke })
try {
  const described = (await (await fetch(`${served.gateway}/openapi.json`)).json()) as OpenApi
  const { statuses, findings, slowest } = await fuzz(served.gateway, gatewayTarget(described), {
    random: seededRandom(Number(values.seed)),
    requests: Number(values.requests),
  })
  await app.settled()
  console.log(JSON.stringify({ statuses, slowest, findings, faults }, undefined, 2))
  const isWell = (await app.health()).status === 'well' && faults.length === 0
  process.exitCode = findings.length === 0 && isWell ? 0 : 1
} finally {
  await served.close()
  await app.stop()
  rmSync(directory, { recursive: true })
}
