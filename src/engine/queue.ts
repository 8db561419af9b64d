import { pause } from '../base/clock.ts'
import type { FaultCode } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { Answer, LogEvent, LogRefusal } from '../ports/log.ts'
import type { EngineTools } from './tools.ts'

/** Messages on their way into the log. */
export interface AppendQueue {
  /** Resolves once the event is stored: whether the log had it already. */
  add(event: LogEvent): Promise<boolean>
  /** Resolves once everything that was added has been answered. */
  drained(): Promise<void>
}

interface Waiting {
  readonly event: LogEvent
  readonly bytes: number
  readonly resolve: (isRepeat: boolean) => void
  readonly reject: (fault: Fault) => void
}

const BATCH_MAX = 1_000
const ATTEMPTS = 3
/** The part of an envelope that is not data, roughly. */
const HEAD_BYTES = 300

/**
 * Appends in batches, one batch in flight, so that calls keep their order per key. An unknown
 * answer is settled by appending the same events again, before anything else is sent; when that
 * does not help either, what is queued behind it with the same key is refused.
 */
export function appendQueue(engine: EngineTools): AppendQueue {
  const { clock, options } = engine
  let queue: Waiting[] = []
  let queuedBytes = 0
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0, BATCH_MAX)
      const answers = await appendSurely(
        engine,
        batch.map(({ event }) => event),
      )
      const broken = new Set<string>()
      for (const [at, waiting] of batch.entries()) {
        const answer = answers[at] as Answer
        if (answer.is !== 'stored') broken.add(orderOf(waiting.event))
        end(waiting, answer)
      }
      const overtaking = queue.filter(({ event }) => broken.has(orderOf(event)))
      if (overtaking.length === 0) continue
      queue = queue.filter((waiting) => !overtaking.includes(waiting))
      for (const waiting of overtaking) end(waiting, EARLIER)
    }
    draining = undefined
  }

  function end({ event, bytes, resolve, reject }: Waiting, answer: Answer): void {
    queuedBytes -= bytes
    if (answer.is === 'stored') resolve(answer.isRepeat)
    else reject(faultOf(event, answer))
  }

  return {
    add(event) {
      const bytes = (event.data?.length ?? 0) + HEAD_BYTES
      if (queuedBytes + bytes > options.sendBytesMax)
        throw new Fault('BACKPRESSURE', { detail: `${queuedBytes} bytes wait for their ack` })
      return new Promise((resolve, reject) => {
        queue.push({ event, bytes, resolve, reject })
        queuedBytes += bytes
        draining ??= new Promise<void>((gathered) => clock.soon(gathered)).then(drain)
      })
    },
    drained: async () => draining,
  }
}

async function appendSurely(
  { clock, options, backend }: EngineTools,
  events: readonly LogEvent[],
): Promise<readonly Answer[]> {
  let answers: readonly Answer[] = []
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const unknown = (cause: unknown): Answer[] => events.map(() => ({ is: 'unknown', cause }))
    answers = await backend.log.append(events).catch(unknown)
    if (answers.every(({ is }) => is !== 'unknown')) return answers
    await pause(clock, options.retryDelayMs * attempt)
  }
  return answers
}

type NotStored = Exclude<Answer, { readonly is: 'stored' }>

const EARLIER: NotStored = { is: 'refused', code: 'EARLIER_NOT_STORED', detail: 'of the same key' }

/** What keeps its order: the messages of a key in a topic. */
function orderOf({ topic, key }: LogEvent): string {
  return `${topic}\n${key}`
}

const CODES: Partial<Record<LogRefusal, FaultCode>> = {
  EARLIER_NOT_STORED: 'EARLIER_NOT_STORED',
  ID_CONFLICT: 'ID_CONFLICT',
  LOG_DAMAGED: 'LOG_DAMAGED',
}

function faultOf(event: LogEvent, answer: NotStored): Fault {
  const ids = { id: event.id, key: event.key, topic: event.topic }
  if (answer.is === 'unknown')
    return new Fault('LOG_UNKNOWN', { detail: event.type, ids, cause: answer.cause })
  const code = CODES[answer.code] ?? 'LOG_REFUSED'
  const detail = code === 'LOG_REFUSED' ? `${answer.code}: ${answer.detail}` : answer.detail
  return new Fault(code, { detail, ids })
}
