// The randomised run in simulated time: instances on one store in memory, which crash at random, and
// answers of the store that are lost.
import { start } from 'throughline'
import { memory, seededRandom } from 'throughline/testing'
import { sleep } from '../../../src/base/time/clock.ts'
import type { Random } from '../../../src/base/random.ts'
import type { CommitResult, Unit } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { Simulation } from '../../engine/support/simulation.ts'
import { createSimulation } from '../../engine/support/simulation.ts'
import type { OrderSize } from './order-batches.ts'
import type { OrderViolation } from './order-checks.ts'
import { findOrderViolations } from './order-checks.ts'
import type { HistoryLine } from './order-history.ts'
import type { Committed } from './order-recorder.ts'
import { createCallObserver, createCommitted, recordUnits } from './order-recorder.ts'
import { ENGINE_OPTIONS } from './order-run.ts'
import { CONSUMERS, createOrderService } from './order-scenario.ts'
import { readFinalState } from './order-store.ts'
import { batchesIn, runWorkload } from './order-workload.ts'

export interface SimulatedOptions extends OrderSize {
  readonly crashes: number
  /** The share of commits whose answer is lost, or is a conflict. */
  readonly faultRate: number
}

export interface SimulatedTally {
  readonly violations: readonly OrderViolation[]
  readonly lines: readonly HistoryLine[]
}

const LATENCY_MS_MAX = 4
/** A crash comes up to this long after the start of its instance. */
const CRASH_MS_MAX = 2_500

interface Stage extends SimulatedOptions {
  readonly simulation: Simulation
  readonly random: Random
  readonly committed: Committed
  readonly lines: HistoryLine[]
}

export async function runSimulated(options: SimulatedOptions): Promise<SimulatedTally> {
  const { seed, crashes } = options
  const lines: HistoryLine[] = []
  const committed = createCommitted()
  const write = (line: HistoryLine): void => void lines.push(line)
  const random = seededRandom(seed)
  // The recorder is inside of all faults and latencies, so it sees what is committed.
  const inMemory = ({ clock }: Parameters<Parameters<typeof createSimulation>[0]>[0]) =>
    recordUnits(memory({ clock }), { committed, write })
  const simulation = createSimulation(inMemory, seed)
  const stage = { ...options, simulation, random, committed, lines }
  const { clock, backend } = simulation
  await clock.until(backend.log.open())
  await clock.until(backend.store.open())
  for (let instance = 0; instance <= crashes; instance += 1) {
    const { done, crash } = await startInstance(stage, instance)
    if (instance === crashes) await clock.until(done)
    else await clock.until(Promise.race([done, sleep(clock, random() * CRASH_MS_MAX)]))
    if (lines.at(-1)?.kind === 'settled') break
    crash()
    const progress = await clock.until(backend.store.progress(Object.keys(CONSUMERS)))
    write({ kind: 'sample', progress, isQuiet: true })
  }
  const state = await clock.until(readFinalState(backend))
  return { violations: findOrderViolations(options, lines, state), lines }
}

async function startInstance(stage: Stage, instance: number) {
  const { simulation, committed, lines, random, seed } = stage
  const { backend, clock, crash } = simulation.instance(interceptorOf(stage))
  const write = (line: HistoryLine): void => void lines.push(line)
  const parts = { seed, clock, random, committed, write }
  const earlier = batchesIn(lines)
  write({ kind: 'start', instance })
  const app = await simulation.clock.until(
    start([createOrderService(createCallObserver(parts))], backend, {
      clock,
      random,
      engine: { ...ENGINE_OPTIONS, idleMs: 50 },
      onRuleError: () => undefined,
      onBackendError: () => undefined,
    }),
  )
  const { store } = simulation.backend
  const done = runWorkload({ ...stage, ...earlier, ...parts, app, store, onAck: () => undefined })
  return { done, crash }
}

/** Latencies, and faults for the units of consumers. */
function interceptorOf({ simulation: { clock }, random, faultRate }: Stage): Interceptor {
  const unknown: CommitResult = { status: 'unknown', cause: 'the answer was lost' }
  return async (method, call, args) => {
    if (method !== 'log.read') await sleep(clock, random() * LATENCY_MS_MAX)
    const isFaulty = method === 'store.commit' && (args[0] as Unit).fences.length > 0
    if (isFaulty && random() < faultRate) {
      const chance = random()
      if (chance < 0.3) return { status: 'conflict', rows: [] } satisfies CommitResult
      if (chance < 0.7) await call()
      return unknown
    }
    const answer = await call()
    if (method !== 'log.read') await sleep(clock, random() * LATENCY_MS_MAX)
    return answer
  }
}
