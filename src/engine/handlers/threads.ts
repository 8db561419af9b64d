import type { Clock } from '../../base/time/clock.ts'
import { withTimeout } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { Service } from '../../rules/service.ts'
import { createHandlerContext } from './call-handler.ts'
import { limitAttempt } from './limit-attempt.ts'
import type { EngineOptions } from '../context/index.ts'
import type { Thread, ThreadCall, Threaded } from './thread.ts'
import { thread } from './thread.ts'
import type { Attempt, HandlerCall, HandlerThreads } from '../execution/index.ts'

/**
 * A pool of threads for the handlers that ask for one. A thread works on one message at a time: when
 * it ends, that message has a failed attempt, and a new thread takes the next. The concurrency of the
 * handlers bounds how many calls wait, and a call is encoded only once it has a thread.
 */
export interface Threads extends HandlerThreads {
  /**
   * Starts a first thread, which imports every module.
   *
   * @throws Fault `START_REFUSED` where one cannot be imported, or lacks its handler
   */
  open(): Promise<void>
}

type ThreadOptions = Pick<EngineOptions, 'threadsMax' | 'threadBytesMax' | 'deadlineMs'>

/** `undefined` where no handler asks for a thread, or `threadsMax` is 0. */
export function threadsOf(
  services: readonly Service[],
  { threadsMax, threadBytesMax, deadlineMs }: ThreadOptions,
  clock: Clock,
  onIdleEnd: (cause: Fault) => void,
): Threads | undefined {
  const threaded = threadedOf(services)
  if (threaded.length === 0 || threadsMax === 0) return undefined
  const start = (): Thread => thread(threaded, threadBytesMax, clock)
  const pool = threadPool(threadsMax, start, onIdleEnd)

  async function attempt(call: HandlerCall, signal: AbortSignal): Promise<Attempt | undefined> {
    let acquired: Thread | undefined
    try {
      acquired = await pool.acquire(signal)
    } catch (cause) {
      return { status: 'failed', cause }
    }
    if (!acquired) return undefined
    const own = acquired
    // Its time begins with the thread, and the thread is free once it has ended.
    return limitAttempt(clock, call, signal, async (both) => {
      try {
        // The signal may have aborted since the thread was handed over.
        return both.aborted ? undefined : await own.call(threadCall(call), both)
      } finally {
        pool.release(own)
      }
    })
  }

  return {
    open: () => loadFirst(pool, clock, deadlineMs),
    attempt,
    stop: () => pool.end('the app has stopped'),
  }
}

async function loadFirst(pool: ThreadPool, clock: Clock, deadlineMs: number): Promise<void> {
  const first = pool.add()
  const issues = await withTimeout(clock, deadlineMs, first.loaded)
  if (issues?.length === 0) return pool.release(first)
  await first.end('its modules did not load in time')
  const late = {
    path: 'threads',
    message: `no modules after ${deadlineMs} ms: see what they await`,
  }
  throw new Fault('START_REFUSED', { detail: 'threads', issues: issues ?? [late] })
}

interface ThreadPool {
  /**
   * An idle thread, or a new one, as soon as there may be one; `undefined` where the signal aborts first.
   *
   * @throws what the machine says when it has no room for one more thread
   */
  acquire(signal: AbortSignal): Promise<Thread | undefined>
  /** Takes a thread back. */
  release(thread: Thread): void
  /** A new thread, in use until it is released. */
  add(): Thread
  /** Ends every thread. */
  end(why: string): Promise<void>
}

function threadPool(
  threadsMax: number,
  start: () => Thread,
  onIdleEnd: (cause: Fault) => void,
): ThreadPool {
  const threads = new Set<Thread>()
  /** The one used last is the last, and is used first: its code is warm. */
  let idle: readonly Thread[] = []
  let isStopped = false
  /** In the order of their calls. */
  const waiting = new Set<PromiseWithResolvers<Thread | undefined>>()

  function add(): Thread {
    const added = start()
    threads.add(added)
    void added.ended.then(({ reason, wasIdle }) => {
      threads.delete(added)
      if (wasIdle && !isStopped) onIdleEnd(new Fault('THREAD_ENDED', { detail: reason }))
      idle = idle.filter((each) => each !== added)
      serve()
    })
    return added
  }

  function take(): Thread | Promise<Thread> | undefined {
    const last = idle.findLast((each) => !each.isEnding())
    // A promise, so that what `add` throws goes to the call that waits.
    if (!last) return threads.size < threadsMax ? Promise.try(add) : undefined
    idle = idle.filter((each) => each !== last)
    return last
  }

  function serve(): void {
    for (const waiter of waiting) {
      const taken = take()
      if (!taken) return
      waiting.delete(waiter)
      waiter.resolve(taken)
    }
  }

  return {
    async acquire(signal) {
      const waiter = Promise.withResolvers<Thread | undefined>()
      const leave = (): void => {
        waiting.delete(waiter)
        waiter.resolve(undefined)
      }
      signal.addEventListener('abort', leave)
      waiting.add(waiter)
      serve()
      try {
        return await waiter.promise
      } finally {
        signal.removeEventListener('abort', leave)
      }
    },
    release(released) {
      if (threads.has(released)) idle = [...idle, released]
      serve()
    },
    add,
    async end(why) {
      isStopped = true
      await Promise.all([...threads].map((each) => each.end(why)))
    },
  }
}

function threadedOf(services: readonly Service[]): readonly Threaded[] {
  return services
    .flatMap(({ name, runs }) => runs.map((rule) => ({ consumer: `${name}/${rule.name}`, rule })))
    .flatMap(({ consumer, rule }) =>
      rule.kind === 'handler' && rule.thread !== undefined
        ? [{ consumer, handler: rule.name, module: rule.thread }]
        : [],
    )
}

function threadCall(call: HandlerCall): ThreadCall {
  const { subscription, inbound } = call
  const { contract, name } = subscription.messageType
  return {
    kind: 'call',
    consumer: subscription.consumer.name,
    contract,
    name,
    // The data after upcasting, which the stored text is not.
    json: JSON.stringify(inbound.data) as string | undefined,
    handling: createHandlerContext(call),
  }
}
