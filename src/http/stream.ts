import type { Clock } from '../base/time/clock.ts'

/** One server-sent event; its data is sent as one line of JSON. */
export interface StreamEvent {
  readonly event?: string
  readonly id?: string
  readonly data: unknown
}

export interface StreamOptions {
  readonly clock: Clock
  /** Ends the stream: the client has disconnected, or the server is closing. */
  readonly signal: AbortSignal
  /** How often an idle stream sends a comment, so that proxies do not close it as idle. */
  readonly heartbeatMs?: number
  /** The stream ends after this time; clients of server-sent events reconnect. */
  readonly lifetimeMs?: number
}

const HEARTBEAT_MS = 15_000
const LIFETIME_MS = 600_000

/**
 * Sends events as server-sent events, with back-pressure: the next event is pulled once the client
 * has taken the last one. A source that buffers events must limit its buffer itself.
 */
export function eventStream(events: AsyncIterable<StreamEvent>, options: StreamOptions): Response {
  return new Response(ReadableStream.from(textOf(events, options)), {
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  })
}

const encoder = new TextEncoder()
const OPEN = encoder.encode(': open\n\n')
const BEAT = encoder.encode(': \n\n')

type Step = IteratorResult<StreamEvent> | 'quiet' | 'ended'

async function* textOf(
  events: AsyncIterable<StreamEvent>,
  { clock, signal, heartbeatMs = HEARTBEAT_MS, lifetimeMs = LIFETIME_MS }: StreamOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const iterator = events[Symbol.asyncIterator]()
  const begunAt = clock.elapsed()
  let next = iterator.next()
  try {
    yield OPEN
    for (;;) {
      const leftMs = begunAt + lifetimeMs - clock.elapsed()
      if (leftMs <= 0) return
      const step = await stepOf(next, clock, Math.min(heartbeatMs, leftMs), signal)
      if (step === 'ended') return
      if (step === 'quiet') yield BEAT
      else if (step.done) return
      else {
        yield encoder.encode(eventText(step.value))
        next = iterator.next()
      }
    }
  } finally {
    // Do not await: a generator that is waiting returns only after its wait.
    next.catch(() => undefined)
    iterator.return?.()?.then(undefined, () => undefined)
  }
}

/** The next event; `quiet` if none came for `quietMs`, `ended` once the signal aborts. */
function stepOf(
  next: Promise<IteratorResult<StreamEvent>>,
  clock: Clock,
  quietMs: number,
  signal: AbortSignal,
): Promise<Step> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve('ended')
    const end = (): void => settle('ended')
    const cancel = clock.after(quietMs, () => settle('quiet'))
    signal.addEventListener('abort', end)
    const tidy = (): void => {
      cancel()
      signal.removeEventListener('abort', end)
    }
    function settle(step: Step): void {
      tidy()
      resolve(step)
    }
    next.then(settle, (cause: unknown) => {
      tidy()
      reject(cause)
    })
  })
}

function eventText({ event, id, data }: StreamEvent): string {
  const nameLine = event === undefined ? '' : `event: ${oneLine(event)}\n`
  const idLine = id === undefined ? '' : `id: ${oneLine(id)}\n`
  return `${nameLine}${idLine}data: ${JSON.stringify(data) ?? 'null'}\n\n`
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n\0]/g, ' ')
