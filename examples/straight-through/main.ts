// Runs the exchange once: UPSTREAM_A1 asks SERVICE_A, SERVICE_B asks DOWNSTREAM_B, SERVICE_C posts.
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Fault, seconds, start } from 'throughline'
import { inProcess } from 'throughline/edges'
import { embedded } from 'throughline/embedded'
import { ServiceA, ServiceC } from './contracts.ts'
import type { Behaviour } from './external-systems.ts'
import { answerIdOf, request, runDownstream } from './external-systems.ts'
import { ledgerTables } from './ledger-tables.ts'
import { straightThrough } from './services.ts'

const usage = `Straight-through processing: three services and two external systems.

  npm run straight-through -- [options]

  --event-id ID            the id that UPSTREAM_A1 gives its request
  --downstream BEHAVIOUR   what DOWNSTREAM_B does: accepts (default), refuses, or silent
  --data DIR               data directory (.throughline/straight-through)
  --help                   print this help`

const flags = {
  'event-id': { type: 'string', default: 'a3e83689-37ee-40b3-a7db-10552d12a30d' },
  downstream: { type: 'string', default: 'accepts' },
  data: { type: 'string', default: join('.throughline', 'straight-through') },
  help: { type: 'boolean', default: false },
} as const

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** How long DOWNSTREAM_B takes. */
const thinkingMs = 50
/** Short enough that a silent DOWNSTREAM_B does not bore anybody. */
const answerWithinMs = seconds(2)

async function run(directory: string, eventId: string, behaviour: Behaviour): Promise<void> {
  const broker = inProcess()
  const stopDownstream = runDownstream(broker, behaviour, () => pause(thinkingMs))
  const backend = embedded({ directory })
  await using app = await start(straightThrough(answerWithinMs), backend, {
    tools: { transport: broker },
  })
  await request(broker, eventId)
  await broker.whenAcked('REQUEST_TOPIC_A1')
  const ofUpstream = (await app.edges()).find(({ edge }) => edge === 'upstream-a1')
  const outcome = await app.operation(ServiceA.Init, eventId).settled()
  await app.settled()
  stopDownstream()

  if (ofUpstream?.repeated)
    print(`${eventId} had been received before, so nothing happened again.\n`)
  print(await ledgerTables(backend.store, [eventId, answerIdOf(eventId)]))
  const reason = 'reason' in outcome ? ` (${outcome.reason})` : ''
  print(`\n${eventId}: ${outcome.status}${reason}`)
  print(`Postings of SERVICE_C: ${await app.ask(ServiceC.CountPostings({}))}`)
}

try {
  const { values } = parseArgs({ options: flags })
  const { 'event-id': eventId, downstream, data, help } = values
  if (help) print(usage)
  else if (!['accepts', 'refuses', 'silent'].includes(downstream))
    throw new Error(`--downstream takes accepts, refuses or silent, not ${downstream}`)
  else await run(data, eventId, downstream as Behaviour)
} catch (cause) {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
  process.exitCode = cause instanceof Fault ? 1 : 2
}
