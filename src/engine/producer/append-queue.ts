import { orderId } from '../../ports/composite-keys.ts'
import { sleep } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { LogAppendResult, LogEvent } from '../../ports/event-log.ts'
import type { EngineContext } from '../context/index.ts'

/** Appends messages to the log in batches. */
export interface AppendQueue {
  /**
   * Resolves with one answer per message, in order.
   *
   * @throws Fault `BACKPRESSURE`, and then appends none of them
   */
  add(events: readonly LogEvent[], isAtomic?: boolean): Promise<readonly LogAppendResult[]>
  /** Resolves once every message added so far has its answer. */
  whenDrained(): Promise<void>
}

interface QueuedCall {
  readonly events: readonly LogEvent[]
  readonly isAtomic: boolean
  readonly bytes: number
  readonly resolve: (answers: readonly LogAppendResult[]) => void
}

const BATCH_MAX = 1_000
const ATTEMPTS = 3
/** Approximate bytes of an envelope without its data. */
const ENVELOPE_BYTES = 300

/**
 * Appends one batch at a time, so that calls keep their order per key. An unknown answer is
 * resolved by appending the same events again, before anything else. If it stays unknown, queued
 * messages of the same key are refused.
 */
export function createAppendQueue(engine: EngineContext): AppendQueue {
  const { clock, options } = engine
  let queue: QueuedCall[] = []
  let queuedBytes = 0
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const calls = queue.splice(0, countBatchCalls(queue))
      const [first] = calls as [QueuedCall]
      const events = calls.length === 1 ? first.events : calls.flatMap((each) => each.events)
      const answers = await appendWithRetry(engine, events, first.isAtomic)
      let at = 0
      for (const call of calls) {
        end(call, calls.length === 1 ? answers : answers.slice(at, at + call.events.length))
        at += call.events.length
      }
      refuseOvertaking(events, answers)
    }
    draining = undefined
  }

  function end({ bytes, resolve }: QueuedCall, answers: readonly LogAppendResult[]): void {
    queuedBytes -= bytes
    resolve(answers)
  }

  /** Queued messages must not overtake an event of their key that was not stored. */
  function refuseOvertaking(
    events: readonly LogEvent[],
    answers: readonly LogAppendResult[],
  ): void {
    const broken = new Set<string>()
    for (const [at, answer] of answers.entries())
      if (answer.status !== 'stored') broken.add(orderId(events[at] as LogEvent))
    if (broken.size === 0) return
    const before = queue
    queue = []
    for (const call of before) {
      const isBroken = call.events.map((event) => broken.has(orderId(event)))
      if (!isBroken.includes(true)) queue.push(call)
      else if (call.isAtomic || call.events.length === 1)
        end(
          call,
          isBroken.map((is) => (is ? EARLIER_NOT_STORED : BATCH_REFUSED)),
        )
      else queue.push(withoutRefused(call, isBroken))
    }
  }

  return {
    add(events, isAtomic = false) {
      let bytes = 0
      for (const { data } of events) bytes += (data?.length ?? 0) + ENVELOPE_BYTES
      if (queuedBytes > 0 && queuedBytes + bytes > options.sendBytesMax)
        throw new Fault('BACKPRESSURE', {
          detail: `${queuedBytes} bytes of sent messages wait for their ack: wait, and send again`,
        })
      return new Promise((resolve) => {
        queue.push({ events, isAtomic, bytes, resolve })
        queuedBytes += bytes
        draining ??= new Promise<void>((batch) => clock.defer(batch)).then(drain)
      })
    },
    whenDrained: async () => draining,
  }
}

/**
 * How many calls go into the next batch. An atomic call goes alone, and so does one larger than a
 * batch.
 */
function countBatchCalls(queue: readonly QueuedCall[]): number {
  let events = 0
  let calls = 0
  for (const call of queue) {
    events += call.events.length
    if (calls > 0 && (call.isAtomic || events > BATCH_MAX)) break
    calls += 1
    if (call.isAtomic) break
  }
  return calls
}

/** A call without its events that are refused already. Its caller still gets all answers. */
function withoutRefused(call: QueuedCall, isBroken: readonly boolean[]): QueuedCall {
  return {
    ...call,
    events: call.events.filter((_, at) => !isBroken[at]),
    resolve(answers) {
      let next = 0
      call.resolve(
        isBroken.map((is) => (is ? EARLIER_NOT_STORED : (answers[next++] as LogAppendResult))),
      )
    },
  }
}

async function appendWithRetry(
  { clock, options, backend }: EngineContext,
  events: readonly LogEvent[],
  isAtomic: boolean,
): Promise<readonly LogAppendResult[]> {
  let answers: readonly LogAppendResult[] = []
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const unknown = (cause: unknown): LogAppendResult[] =>
      events.map(() => ({ status: 'unknown', cause }))
    answers = await backend.log.append(events, { isAtomic }).catch(unknown)
    if (answers.every(({ status }) => status !== 'unknown')) return answers
    await sleep(clock, options.retryDelayMs * attempt)
  }
  return answers
}

type Refused = Extract<LogAppendResult, { readonly status: 'refused' }>

const EARLIER_NOT_STORED: Refused = {
  status: 'refused',
  code: 'EARLIER_NOT_STORED',
  detail: 'an earlier message of the same key',
}
const BATCH_REFUSED: Refused = {
  status: 'refused',
  code: 'BATCH_REFUSED',
  detail: 'another event of the batch was refused',
}
