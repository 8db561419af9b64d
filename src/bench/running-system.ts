// Starts the measured system, and records which events its rules have handled and when those were
// committed.
import type { Clock } from '../base/time/clock.ts'
import { systemClock } from '../base/time/clock.ts'
import { embedded } from '../backends/embedded/index.ts'
import type { App, Service } from '../index.ts'
import { start } from '../index.ts'
import type { Flow } from './closed-loop.ts'
import { createAppender } from './appender.ts'
import type { Path } from './system.ts'
import { readingOf, systemOf } from './system.ts'

type Backend = ReturnType<typeof embedded>

/** Called with the readings of each commit, and the times at which their rules ran. */
export type OnCommitted = (numbers: readonly number[], ranAt: readonly number[]) => void

/** Wraps a backend to see commits: a handled event is committed with the next unit. */
interface CommitWatch {
  readonly backend: Backend
  readonly counted: (number: number) => void
  readonly committed: () => number
}

function watchCommits(inner: Backend, clock: Clock, heard: OnCommitted): CommitWatch {
  let numbers: number[] = []
  let ranAt: number[] = []
  let total = 0
  const commit: Backend['store']['commit'] = async (unit) => {
    if (unit.progress.length === 0) return inner.store.commit(unit)
    const [inUnit, times] = [numbers, ranAt]
    numbers = []
    ranAt = []
    const answer = await inner.store.commit(unit)
    if (answer.status === 'done') {
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

export interface MeasuredSystemOptions {
  readonly directory: string
  readonly path: Path
  readonly onCommitted?: OnCommitted
  /** Additional services. */
  readonly moreServices?: (counted: (number: number) => void) => readonly Service<string, unknown>[]
}

/** The running system, as a flow. */
export interface MeasuredSystem extends Flow {
  readonly app: App
  readonly clock: Clock
  readonly log: Backend['log']
}

const IGNORE: OnCommitted = () => undefined
/** No limit by the engine: the publishers bound the backlog. */
const LAG_EVENTS_MAX = 1_000_000_000

export async function startMeasuredSystem(options: MeasuredSystemOptions): Promise<MeasuredSystem> {
  const { directory, path, onCommitted = IGNORE, moreServices = () => [] } = options
  const clock = systemClock()
  const { backend, counted, committed } = watchCommits(embedded({ directory }), clock, onCommitted)
  const { services, message } = systemOf(path, counted)
  const app = await start([...services, ...moreServices(counted)], backend, {
    engine: { lagEventsMax: LAG_EVENTS_MAX },
  })
  const appender = createAppender(app)
  return {
    app,
    clock,
    log: backend.log,
    finished: committed,
    publish: (from, count) =>
      appender.append(Array.from({ length: count }, (_, at) => message(readingOf(from + at)))),
  }
}
