// One thread, as seen from where the app runs.
import { Worker } from 'node:worker_threads'
import type { Clock } from '../base/clock.ts'
import { pause } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { ThrownError } from '../base/thrown.ts'
import { thrownText } from '../base/thrown.ts'
import type { Handling } from '../rules/handler.ts'
import type { Attempt } from './handle.ts'

/** A handler that threads run, and the module that exports it. */
export interface Threaded {
  /** `<service>/<rule>`. */
  readonly consumer: string
  readonly handler: string
  /** URL of the module. */
  readonly module: string
}

/** A call of a handler as it crosses over. */
export interface ThreadCall {
  readonly is: 'call'
  readonly consumer: string
  /** The message type, by contract and name. */
  readonly contract: string
  readonly name: string
  /** The message's data; absent for a tombstone. */
  readonly json: string | undefined
  readonly handling: Omit<Handling, 'signal'>
}

/** What a thread is told. It is called again only once it has answered. */
export type ToThread = ThreadCall | { readonly is: 'abort' }

/** What a thread says. */
export type FromThread =
  | { readonly is: 'loaded'; readonly complaints: readonly Complaint[] }
  | { readonly is: 'returned'; readonly json: string }
  | { readonly is: 'failed'; readonly error: ThrownError }
  | { readonly is: 'later'; readonly delayMs: number }

/** What a thread is made with, under a name of ours: modules of users see it, too. */
export interface ThreadData {
  readonly throughline: readonly Threaded[]
}

/** One thread. It runs one handler at a time. */
export interface Thread {
  /** Resolves once its modules are there, with what is wrong with them. */
  readonly loaded: Promise<readonly Complaint[]>
  /** Resolves with the reason once it is gone; it never throws. */
  readonly ended: Promise<string>
  /** Calls a handler, and answers what became of it, the end of the thread included. */
  call(call: ThreadCall): Promise<Attempt>
  /** Aborts the signal of the call under way. */
  abort(): void
  /** Whether it is known already that it comes to an end. */
  isEnding(): boolean
  /** Ends it as it stands. */
  end(why: string): Promise<void>
}

/** The same file as TypeScript here, and compiled in the package. */
const INSIDE = `./thread-inside.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`

const MIB = 1_048_576

/**
 * How often it is looked how much memory a thread uses while it is called, and how much more than it
 * may the machine gives it: one that runs into that limit takes the whole process along more often
 * than not, and so must be ended before.
 */
const LOOK_MS = 50
const HEADROOM = 4

/** Whether the program is a file: the flags of one that is none would not let a thread begin. */
const isFile = (): boolean => !process.execArgv.some((flag) => flag.startsWith('--input-type'))

/** @throws what the machine says when it has no room for one more thread */
export function thread(threaded: readonly Threaded[], bytesMax: number, clock: Clock): Thread {
  const data: ThreadData = { throughline: threaded }
  const worker = new Worker(new URL(INSIDE, import.meta.url), {
    workerData: data,
    ...(isFile() ? {} : { execArgv: [] }),
    resourceLimits: { maxOldGenerationSizeMb: Math.ceil((HEADROOM * bytesMax) / MIB) },
  })
  const loaded = Promise.withResolvers<readonly Complaint[]>()
  const ended = Promise.withResolvers<string>()
  let answer: ((attempt: Attempt) => void) | undefined
  let reason: string | undefined
  let isGone = false
  let isWatched = false
  // A thread has no origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  const say = (said: ToThread): void => worker.postMessage(said)
  const isCalled = (): boolean => answer !== undefined
  const settle = (attempt: Attempt): void => {
    answer?.(attempt)
    answer = undefined
  }

  const end = async (why: string): Promise<void> => {
    reason ??= why
    await worker.terminate()
  }
  /** Looks at its memory for as long as it is called. */
  async function keepWatch(): Promise<void> {
    if (isWatched) return
    isWatched = true
    while (isCalled()) {
      await pause(clock, LOOK_MS)
      // It may be gone by now, or through with its call.
      const used = await worker.getHeapStatistics().catch(() => undefined)
      if (isCalled() && used && used.used_heap_size > bytesMax)
        await end(`it used over ${bytesMax} bytes of memory`)
    }
    isWatched = false
  }

  worker.on('message', (said: FromThread) => {
    if (said.is === 'loaded') loaded.resolve(said.complaints)
    else settle(attemptOf(said))
  })
  worker.on('error', (cause) => {
    reason ??= thrownText(cause)
  })
  worker.on('exit', (code) => {
    isGone = true
    const why = reason ?? `it has exited with code ${code}`
    ended.resolve(why)
    loaded.resolve(threaded.map(({ consumer: path }) => ({ path, message: `its thread: ${why}` })))
    settle(endedBy(why))
  })

  return {
    loaded: loaded.promise,
    ended: ended.promise,
    call: (call) =>
      new Promise((resolve) => {
        if (isGone) return resolve(endedBy('it was gone before it was called'))
        answer = resolve
        say(call)
        void keepWatch()
      }),
    abort: () => say({ is: 'abort' }),
    isEnding: () => reason !== undefined,
    end,
  }
}

const endedBy = (why: string): Attempt => {
  return { is: 'failed', cause: new Fault('THREAD_ENDED', { detail: why }) }
}

function attemptOf(said: Exclude<FromThread, { is: 'loaded' }>): Attempt {
  if (said.is === 'failed') return { is: 'failed', cause: errorFrom(said.error) }
  if (said.is === 'later') return said
  return { is: 'handled', returned: JSON.parse(said.json) }
}

/** What was thrown in a thread, with the stack that it had there. */
function errorFrom({ message, code, stack = message }: ThrownError): Error {
  const error = new Error(message)
  error.stack = stack
  return code === undefined ? error : Object.assign(error, { code })
}
