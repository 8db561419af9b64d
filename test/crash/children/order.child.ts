// The victim of the randomised run: produces and handles events until it is killed, or until everything
// is settled.
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import { seededRandom } from '../../../src/base/random.ts'
import { systemClock } from '../../../src/base/time/clock.ts'
import { openHistory, readHistory } from '../order/order-history.ts'
import type { OrderSetup } from '../order/order-run.ts'
import { ENGINE_OPTIONS } from '../order/order-run.ts'
import { committedIn, createCallObserver, recordUnits } from '../order/order-recorder.ts'
import { createOrderService } from '../order/order-scenario.ts'
import { batchesIn, runWorkload } from '../order/order-workload.ts'
import { writeLine } from '../support/write-line.ts'

const setup = JSON.parse(process.argv[2] ?? '') as OrderSetup
const { directory, history, instance, seed } = setup
const lines = readHistory(history)
const clock = systemClock()
const random = seededRandom(seed * 100 + instance)
const write = openHistory(history)
const parts = { seed, clock, random, committed: committedIn(lines), write }
const backend = recordUnits(embedded({ directory }), parts)
write({ kind: 'start', instance })
const app = await start([createOrderService(createCallObserver(parts))], backend, {
  engine: ENGINE_OPTIONS,
  onRuleError: () => undefined,
  // The machine may be slow.
  onSlowRule: () => undefined,
  onSlowUnits: () => undefined,
  onBackendError: (_, cause) => write({ kind: 'wrong', what: String(cause) }),
})
await runWorkload({
  ...setup,
  ...batchesIn(lines),
  app,
  store: backend.store,
  clock,
  random,
  write,
  onAck: (events) => writeLine({ kind: 'acked', events }),
})
writeLine({ kind: 'settled' })
await app.stop()
