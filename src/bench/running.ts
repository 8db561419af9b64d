// Starts the measured system, and records which events its rules have handled and when those were
// committed.
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { embedded } from '../backends/embedded/index.ts'
import type { App, Service } from '../index.ts'
import { start } from '../index.ts'
import type { Flow } from './closed-loop.ts'
import { doorOf } from './door.ts'
import type { Path } from './system.ts'
import { readingOf, systemOf } from './system.ts'

type Backend = ReturnType<typeof embedded>

/** Called with the readings of each commit, and the times at which their rules ran. */
export type Committed = (numbers: readonly number[], ranAt: readonly number[]) => void

/** Wraps a backend to see commits: a handled event is committed with the next unit. */
interface Watch {
  readonly backend: Backend
  readonly counted: (number: number) => void
  readonly committed: () => number
}

function watchOf(inner: Backend, clock: Clock, heard: Committed): Watch {
  let numbers: number[] = []
  let ranAt: number[] = []
  let total = 0
  const commit: Backend['store']['commit'] = async (unit) => {
    if (unit.progress.length === 0) return inner.store.commit(unit)
    const [inUnit, times] = [numbers, ranAt]
    numbers = []
    ranAt = []
    const answer = await inner.store.commit(unit)
    if (answer.is === 'done') {
      total += inUnit.length
      heard(inUnit, times)
    }
    return answer
  }
  return {
    backend: { ...inner, store: { ...inner.store, commit } },
    committed: () => total,
    counted(number) {
      numbers.push(number)
      ranAt.push(clock.elapsed())
    },
  }
}

export interface RunningOptions {
  readonly directory: string
  readonly path: Path
  readonly heard?: Committed
  /** Additional services. */
  readonly beside?: (counted: (number: number) => void) => readonly Service<string, unknown>[]
}

/** The running system, as a flow. */
export interface Running extends Flow {
  readonly app: App
  readonly clock: Clock
  readonly log: Backend['log']
}

const NOBODY: Committed = () => undefined
/** No limit by the engine: the publishers bound the backlog. */
const LAG_EVENTS_MAX = 1_000_000_000

export async function running(options: RunningOptions): Promise<Running> {
  const { directory, path, heard = NOBODY, beside = () => [] } = options
  const clock = systemClock()
  const { backend, counted, committed } = watchOf(embedded({ directory }), clock, heard)
  const { services, message } = systemOf(path, counted)
  const app = await start([...services, ...beside(counted)], backend, {
    engine: { lagEventsMax: LAG_EVENTS_MAX },
  })
  const door = doorOf(app)
  return {
    app,
    clock,
    log: backend.log,
    finished: committed,
    publish: (from, count) =>
      door.append(Array.from({ length: count }, (_, at) => message(readingOf(from + at)))),
  }
}
