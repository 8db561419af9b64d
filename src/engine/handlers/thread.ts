// One thread, as the thread that runs the app sees it.
import { Worker } from 'node:worker_threads'
import type { Cancel, Clock } from '../../base/time/clock.ts'
import { sleep } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { ThrownError } from '../../base/errors/thrown-error.ts'
import { thrownMessage } from '../../base/errors/thrown-error.ts'
import type { HandlerContext } from '../../rules/handler.ts'
import type { Attempt } from '../execution/index.ts'

/** A handler that threads run, and the module that exports it. */
export interface Threaded {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly handler: string
  /** URL of the module. */
  readonly module: string
}

/** The call of a handler, as it is posted to a thread. */
export interface ThreadCall {
  readonly kind: 'call'
  readonly consumer: string
  /** The message type, by contract and name. */
  readonly contract: string
  readonly name: string
  /** The data of the message; absent for a tombstone. */
  readonly json: string | undefined
  readonly handling: Omit<HandlerContext, 'signal'>
}

/** What is posted to a thread. It gets the next call only after it has answered the last. */
export type ToThread = ThreadCall | { readonly kind: 'abort' }

/** What a thread posts back. */
export type FromThread =
  | { readonly kind: 'loaded'; readonly issues: readonly Issue[] }
  | ThreadAnswer

/** The answer to a call. */
export type ThreadAnswer =
  | { readonly kind: 'returned'; readonly json: string }
  | { readonly kind: 'failed'; readonly error: ThrownError }
  | { readonly kind: 'later'; readonly delayMs: number }

/** The `workerData` of a thread, under a name of our own: modules of users see it, too. */
export interface ThreadData {
  readonly throughline: readonly Threaded[]
}

export interface ThreadEnd {
  readonly reason: string
  /** Whether its modules were imported and no call was under way, so that nobody has heard of it yet. */
  readonly wasIdle: boolean
}

/** One thread. It runs one handler at a time. */
export interface Thread {
  /** Resolves once its modules are imported, with the issues about them. */
  readonly loaded: Promise<readonly Issue[]>
  /** Resolves once the thread has ended; never rejects. */
  readonly ended: Promise<ThreadEnd>
  /**
   * Calls a handler. An end of the thread is a failed attempt. Once the signal aborts, so does the
   * signal that the handler has; a handler that goes on for half a second after that has its thread ended.
   */
  call(call: ThreadCall, signal: AbortSignal): Promise<Attempt>
  /** Whether it has ended, or is about to. */
  isEnding(): boolean
  /** Ends it, in the middle of a call or not. */
  end(why: string): Promise<void>
}

/** TypeScript here, compiled in the package. */
const INSIDE = `./thread-inside.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`

/** How long a handler may go on after its signal has aborted. */
const ABORT_MS = 500

const MIB = 1_048_576

/** How often the memory of a thread is measured during a call. */
const MEASURE_MS = 50

/**
 * The hard limit of Node, as a multiple of ours. A thread that reaches the hard limit mostly takes the
 * whole process along, so it has to be ended before.
 */
const HARD_LIMIT_FACTOR = 4

/** @throws what the machine says when it has no room for one more thread */
export function thread(threaded: readonly Threaded[], bytesMax: number, clock: Clock): Thread {
  const worker = startWorker(threaded, bytesMax)
  const loaded = Promise.withResolvers<readonly Issue[]>()
  const ended = Promise.withResolvers<ThreadEnd>()
  let answer: PromiseWithResolvers<Attempt> | undefined
  let reason: string | undefined
  let isLoaded = false
  let hasEnded = false
  // `postMessage` of a worker takes no origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const post = (message: ToThread): void => worker.postMessage(message)
  const settle = (attempt: Attempt): void => {
    answer?.resolve(attempt)
    answer = undefined
  }
  const end = async (why: string): Promise<void> => {
    reason ??= why
    await worker.terminate()
  }
  const watchMemory = memoryWatch(worker, bytesMax, clock, () => answer !== undefined, end)

  worker.on('message', (message: FromThread) => {
    if (message.kind !== 'loaded') return settle(attemptFrom(message))
    const [issue] = message.issues
    isLoaded = issue === undefined
    loaded.resolve(message.issues)
    if (issue) void end(issue.message)
  })
  worker.on('error', (cause) => {
    reason ??= thrownMessage(cause)
  })
  worker.on('exit', (code) => {
    hasEnded = true
    reason ??= `it has exited with code ${code}`
    const message = `its thread: ${reason}`
    loaded.resolve(threaded.map(({ consumer: path }) => ({ path, message })))
    ended.resolve({ reason, wasIdle: isLoaded && answer === undefined })
    settle(failedBy(reason))
  })

  async function call(threadCall: ThreadCall, signal: AbortSignal): Promise<Attempt> {
    if (hasEnded) return failedBy('it had ended before the call')
    let cancel: Cancel = () => undefined
    const abort = (): void => {
      post({ kind: 'abort' })
      const why = 'it went on although its signal had aborted'
      cancel = clock.after(ABORT_MS, () => void end(why))
    }
    signal.addEventListener('abort', abort)
    try {
      answer = Promise.withResolvers()
      post(threadCall)
      void watchMemory()
      return await answer.promise
    } finally {
      signal.removeEventListener('abort', abort)
      cancel()
    }
  }

  return {
    loaded: loaded.promise,
    ended: ended.promise,
    call,
    isEnding: () => reason !== undefined,
    end,
  }
}

function startWorker(threaded: readonly Threaded[], bytesMax: number): Worker {
  const workerData: ThreadData = { throughline: threaded }
  // A thread inherits the flags of the process, and does not start with those of a program that is no file.
  const isFile = !process.execArgv.some((flag) => flag.startsWith('--input-type'))
  return new Worker(new URL(INSIDE, import.meta.url), {
    workerData,
    ...(isFile ? {} : { execArgv: [] }),
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil((HARD_LIMIT_FACTOR * bytesMax) / MIB) },
  })
}

/** Measures the memory of a thread for as long as it is called, and ends it past the limit. */
function memoryWatch(
  worker: Worker,
  bytesMax: number,
  clock: Clock,
  isCalled: () => boolean,
  end: (why: string) => Promise<void>,
): () => Promise<void> {
  let isWatching = false
  return async () => {
    if (isWatching) return
    isWatching = true
    while (isCalled()) {
      await sleep(clock, MEASURE_MS)
      // The thread may have ended meanwhile, or its call.
      const heap = await worker.getHeapStatistics().catch(() => undefined)
      if (isCalled() && heap && heap.used_heap_size > bytesMax)
        await end(`it used over ${bytesMax} bytes of memory`)
    }
    isWatching = false
  }
}

function failedBy(why: string): Attempt {
  return { status: 'failed', cause: new Fault('THREAD_ENDED', { detail: why }) }
}

function attemptFrom(answer: ThreadAnswer): Attempt {
  switch (answer.kind) {
    case 'returned':
      return { status: 'handled', returned: JSON.parse(answer.json) }
    case 'failed':
      return { status: 'failed', cause: errorFrom(answer.error) }
    case 'later':
      return { status: 'later', delayMs: answer.delayMs }
  }
}

/** An error that was thrown in a thread, with the stack that it had there. */
function errorFrom({ message, code, stack = message }: ThrownError): Error {
  const error = new Error(message)
  error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}
