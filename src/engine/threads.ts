import type { Cancel, Clock } from '../base/clock.ts'
import { within } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { Service } from '../rules/service.ts'
import type { Attempt, Call } from './handle.ts'
import { handlingOf } from './handle.ts'
import type { EngineOptions } from './options.ts'
import type { Thread, ThreadCall, Threaded } from './thread.ts'
import { thread } from './thread.ts'

/**
 * Threads for the handlers that ask for one. Each works on one message at a time; one that ends
 * takes its message with it as a failed attempt, and another is made for the next. What waits for a
 * thread is bounded by the concurrency of the handlers, and encoded only when its turn comes.
 */
export interface Threads {
  /**
   * Has a first thread import every module.
   *
   * @throws Fault `START_REFUSED` where one cannot be imported, or lacks its handler
   */
  open(): Promise<void>
  /**
   * What became of a call; nothing where the signal, which has not yet, aborts before it begins. A thread that goes on
   * for half a second after that is ended as it stands.
   */
  attempt(call: Call, signal: AbortSignal): Promise<Attempt | undefined>
  /** Ends every thread as it stands. Whoever calls aborts first, so that nothing waits for one. */
  stop(): Promise<void>
}

/** A call that waits for a thread. */
interface Job {
  readonly call: Call
  readonly signal: AbortSignal
  readonly settle: (attempt: Attempt | undefined) => void
  /** Gives up waiting. */
  readonly leave: () => void
}

/** How long a call may go on once its signal has aborted. */
const ABORT_MS = 500

type ThreadOptions = Pick<EngineOptions, 'threadsMax' | 'threadBytesMax' | 'deadlineMs'>

/**
 * Nothing where no handler asks for a thread, or there are to be none. `tell` hears of a thread that
 * has ended while it had nothing to do.
 */
export function threadsOf(
  services: readonly Service[],
  options: ThreadOptions,
  clock: Clock,
  tell: (cause: Fault) => void,
): Threads | undefined {
  const threaded = threadedOf(services)
  if (threaded.length === 0 || options.threadsMax === 0) return undefined
  const crew = crewOf(threaded, options, clock, tell)
  const waiting: Job[] = []

  /** Gives what waits to threads that are free, or can be made. */
  function serve(): void {
    while (waiting.length > 0 && crew.canTake()) {
      const job = waiting.shift() as Job
      job.signal.removeEventListener('abort', job.leave)
      try {
        void work(crew.take(), job)
      } catch (cause) {
        job.settle({ is: 'failed', cause })
      }
    }
  }

  async function work(one: Thread, { call, signal, settle }: Job): Promise<void> {
    let cancel: Cancel = () => undefined
    const abort = (): void => {
      one.abort()
      const late = (): void => void crew.end(one, 'it went on although its signal had aborted')
      cancel = clock.after(ABORT_MS, late)
    }
    signal.addEventListener('abort', abort)
    const attempt = await one.call(crossing(call))
    signal.removeEventListener('abort', abort)
    cancel()
    crew.give(one)
    settle(attempt)
    serve()
  }

  return {
    open: () => mustLoad(crew, clock, options.deadlineMs),
    attempt: (call, signal) =>
      new Promise((settle) => {
        const leave = (): void => {
          waiting.splice(waiting.indexOf(job), 1)
          settle(undefined)
        }
        const job: Job = { call, signal, settle, leave }
        signal.addEventListener('abort', leave, { once: true })
        waiting.push(job)
        serve()
      }),
    stop: () => crew.endAll('the app has stopped'),
  }
}

async function mustLoad(crew: Crew, clock: Clock, deadlineMs: number): Promise<void> {
  const first = crew.take()
  const complaints = await within(clock, deadlineMs, first.loaded)
  if (complaints?.length === 0) return crew.give(first)
  await crew.end(first, 'its modules were not there in time')
  const late = {
    path: 'threads',
    message: `no modules after ${deadlineMs} ms: see what they await`,
  }
  throw new Fault('START_REFUSED', { detail: 'threads', complaints: complaints ?? [late] })
}

/** The threads that there are, free or at work. */
interface Crew {
  canTake(): boolean
  /** One that is free, or a new one. @throws what the machine says when it has no room for it */
  take(): Thread
  /** It is free again, unless it has ended. */
  give(one: Thread): void
  /** Ends it as it stands; nobody takes it any more. */
  end(one: Thread, why: string): Promise<void>
  endAll(why: string): Promise<void>
}

function crewOf(
  threaded: readonly Threaded[],
  { threadsMax, threadBytesMax }: ThreadOptions,
  clock: Clock,
  tell: (cause: Fault) => void,
): Crew {
  const all = new Set<Thread>()
  const free: Thread[] = []

  /** Whether it was free. */
  function forget(one: Thread): boolean {
    all.delete(one)
    const at = free.indexOf(one)
    if (at !== -1) free.splice(at, 1)
    return at !== -1
  }

  function end(one: Thread, why: string): Promise<void> {
    forget(one)
    return one.end(why)
  }

  function make(): Thread {
    const one = thread(threaded, threadBytesMax, clock)
    all.add(one)
    void one.loaded.then(([complaint]) => complaint && end(one, complaint.message))
    void one.ended.then((why) => {
      if (forget(one)) tell(new Fault('THREAD_ENDED', { detail: why }))
    })
    return one
  }

  return {
    canTake: () => free.length > 0 || all.size < threadsMax,
    take: () => free.pop() ?? make(),
    give(one) {
      if (all.has(one) && !one.isEnding()) free.push(one)
    },
    end,
    async endAll(why) {
      await Promise.all([...all].map((one) => end(one, why)))
    },
  }
}

function threadedOf(services: readonly Service[]): readonly Threaded[] {
  return services
    .flatMap(({ name, runs }) => runs.map((rule) => ({ consumer: `${name}/${rule.name}`, rule })))
    .flatMap(({ consumer, rule }) =>
      rule.is === 'handler' && rule.thread !== undefined
        ? [{ consumer, handler: rule.name, module: rule.thread }]
        : [],
    )
}

function crossing(call: Call): ThreadCall {
  const { reaction, arrival } = call
  const { contract, name } = reaction.message
  return {
    is: 'call',
    consumer: reaction.consumer.name,
    contract,
    name,
    // As the rule is to see it, which need not be as it is stored.
    json: JSON.stringify(arrival.data) as string | undefined,
    handling: handlingOf(call),
  }
}
