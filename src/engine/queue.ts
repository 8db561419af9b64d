import { orderId } from '../ports/composite-keys.ts'
import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { Answer, LogEvent } from '../ports/log.ts'
import type { EngineTools } from './tools.ts'

/** Appends messages to the log in batches. */
export interface AppendQueue {
  /**
   * Resolves with one answer per message, in order.
   *
   * @throws Fault `BACKPRESSURE`, and then appends none of them
   */
  add(events: readonly LogEvent[], isAtomic?: boolean): Promise<readonly Answer[]>
  /** Resolves once every message added so far has its answer. */
  drained(): Promise<void>
}

interface Waiting {
  readonly events: readonly LogEvent[]
  readonly isAtomic: boolean
  readonly bytes: number
  readonly resolve: (answers: readonly Answer[]) => void
}

const BATCH_MAX = 1_000
const ATTEMPTS = 3
/** Approximate bytes of an envelope without its data. */
const HEAD_BYTES = 300

/**
 * Appends one batch at a time, so that calls keep their order per key. An unknown answer is
 * resolved by appending the same events again, before anything else. If it stays unknown, queued
 * messages of the same key are refused.
 */
export function appendQueue(engine: EngineTools): AppendQueue {
  const { clock, options } = engine
  let queue: Waiting[] = []
  let queuedBytes = 0
  let draining: Promise<void> | undefined

  async function drain(): Promise<void> {
    while (queue.length > 0) {
      const calls = queue.splice(0, callsOfBatch(queue))
      const [first] = calls as [Waiting]
      const events = calls.length === 1 ? first.events : calls.flatMap((each) => each.events)
      const answers = await appendSurely(engine, events, first.isAtomic)
      let at = 0
      for (const call of calls) {
        end(call, calls.length === 1 ? answers : answers.slice(at, at + call.events.length))
        at += call.events.length
      }
      refuseOvertaking(events, answers)
    }
    draining = undefined
  }

  function end({ bytes, resolve }: Waiting, answers: readonly Answer[]): void {
    queuedBytes -= bytes
    resolve(answers)
  }

  /** Queued messages must not overtake an event of their key that was not stored. */
  function refuseOvertaking(events: readonly LogEvent[], answers: readonly Answer[]): void {
    const broken = new Set<string>()
    for (const [at, answer] of answers.entries())
      if (answer.is !== 'stored') broken.add(orderId(events[at] as LogEvent))
    if (broken.size === 0) return
    const before = queue
    queue = []
    for (const call of before) {
      const isBroken = call.events.map((event) => broken.has(orderId(event)))
      if (!isBroken.includes(true)) queue.push(call)
      else if (call.isAtomic || call.events.length === 1)
        end(
          call,
          isBroken.map((is) => (is ? EARLIER : BATCH)),
        )
      else queue.push(partOf(call, isBroken))
    }
  }

  return {
    add(events, isAtomic = false) {
      let bytes = 0
      for (const { data } of events) bytes += (data?.length ?? 0) + HEAD_BYTES
      if (queuedBytes > 0 && queuedBytes + bytes > options.sendBytesMax)
        throw new Fault('BACKPRESSURE', {
          detail: `${queuedBytes} bytes of sent messages wait for their ack: wait, and send again`,
        })
      return new Promise((resolve) => {
        queue.push({ events, isAtomic, bytes, resolve })
        queuedBytes += bytes
        draining ??= new Promise<void>((gathered) => clock.soon(gathered)).then(drain)
      })
    },
    drained: async () => draining,
  }
}

/**
 * How many calls go into the next batch. An atomic call goes alone, and so does one larger than a
 * batch.
 */
function callsOfBatch(queue: readonly Waiting[]): number {
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
function partOf(call: Waiting, isBroken: readonly boolean[]): Waiting {
  return {
    ...call,
    events: call.events.filter((_, at) => !isBroken[at]),
    resolve(answers) {
      let next = 0
      call.resolve(isBroken.map((is) => (is ? EARLIER : (answers[next++] as Answer))))
    },
  }
}

async function appendSurely(
  { clock, options, backend }: EngineTools,
  events: readonly LogEvent[],
  isAtomic: boolean,
): Promise<readonly Answer[]> {
  let answers: readonly Answer[] = []
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const unknown = (cause: unknown): Answer[] => events.map(() => ({ is: 'unknown', cause }))
    answers = await backend.log.append(events, { isAtomic }).catch(unknown)
    if (answers.every(({ is }) => is !== 'unknown')) return answers
    await pause(clock, options.retryDelayMs * attempt)
  }
  return answers
}

type Refused = Extract<Answer, { readonly is: 'refused' }>

const EARLIER: Refused = {
  is: 'refused',
  code: 'EARLIER_NOT_STORED',
  detail: 'an earlier message of the same key',
}
const BATCH: Refused = {
  is: 'refused',
  code: 'BATCH_REFUSED',
  detail: 'another event of the batch was refused',
}
