import type { Complaint, FaultCode } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { faultIn } from '../base/thrown.ts'
import { commandsTopic, eventsTopic } from '../contract/contract.ts'
import { checkMessage, flawOfKey } from '../contract/door.ts'
import { encodeHead } from '../contract/envelope.ts'
import type { CommandType, Message, MessageType } from '../contract/message.ts'
import { partitionOf } from '../contract/partition.ts'
import type { TraceContext } from '../contract/trace-context.ts'
import { complaintsOfTrace, traceContextOf } from '../contract/trace-context.ts'
import type { Answer, LogEvent, LogRefusal, Place } from '../ports/log.ts'
import { complaintsOfIds } from './named.ts'
import { publisherOf } from './publisher.ts'
import type { EngineTools } from './tools.ts'
import { appendQueue } from './queue.ts'
import { statusOf } from './status.ts'

export interface SendOptions extends TraceContext {
  /**
   * The message's id: a message sent again with the same id takes effect once. Default: a new id.
   */
  readonly id?: string
}

/** A command stored in the log. */
export interface SentCommand {
  readonly id: string
  readonly command: CommandType
  /** The log had it already, from an earlier call with this id. */
  readonly isRepeat: boolean
}

export interface AppendOptions {
  /** One id per message, in order. Default: new ids. */
  readonly ids?: readonly string[]
  /** Store all messages or none, across topics. Default: each by itself. */
  readonly isAtomic?: boolean
}

/**
 * The result of one message of a batch. An `unknown` result is resolved by appending the message
 * again.
 */
export type Appended =
  | {
      readonly is: 'stored'
      readonly id: string
      /** The log had it already; the place is that of the first append. */
      readonly isRepeat: boolean
      /** If the backend returns it. */
      readonly place?: Place
    }
  | {
      readonly is: 'refused'
      readonly id: string
      readonly code: FaultCode | LogRefusal
      readonly detail: string
      readonly complaints?: readonly Complaint[]
    }
  | { readonly is: 'unknown'; readonly id: string; readonly cause: unknown }

/** Takes messages from outside. */
export interface Sender {
  send(message: Message, options: SendOptions): Promise<SentCommand>
  append(messages: readonly Message[], options: AppendOptions): Promise<readonly Appended[]>
  /** Takes no new messages; resolves when all taken messages are answered. */
  close(): Promise<void>
}

const LAG_CHECK_MS = 1_000
const MESSAGES_MAX = 10_000

export function sender(engine: EngineTools): Sender {
  const { clock, options, mint } = engine
  const queue = appendQueue(engine)
  let isClosed = false
  let lagCheckedAt = -Infinity
  let lagging: string | undefined

  /** Reads the lag of the consumers, at most once a second. */
  async function lookAtLag(): Promise<void> {
    lagCheckedAt = clock.elapsed()
    const worst = (await statusOf(engine)).toSorted((a, b) => b.lag - a.lag)[0]
    const isOver = worst !== undefined && worst.lag > options.lagEventsMax
    lagging = isOver
      ? `${worst.consumer} lags by ${worst.lag} events: wait, and send again`
      : undefined
  }

  /** Synchronous, so that no call is overtaken by a later one. */
  function mustKeepUp(): void {
    if (clock.elapsed() - lagCheckedAt >= LAG_CHECK_MS)
      lookAtLag().then(
        () => engine.watch.mended('sender'),
        (cause: unknown) => engine.watch.broke('sender', cause),
      )
    if (lagging) throw new Fault('BACKPRESSURE', { detail: lagging })
  }

  return {
    async send(message, { id: given, ...trace }) {
      const id = given ?? mint()
      if (isClosed) throw new Fault('APP_STOPPING', { detail: 'send', ids: { id } })
      const isChosen = given !== undefined
      const { event, type } = eventOf(engine, message, { id, isChosen }, ['command'], trace)
      mustKeepUp()
      const [answer] = (await queue.add([event])) as [Answer]
      if (answer.is !== 'stored') throw faultOf(event, answer)
      return { id, command: type as CommandType, isRepeat: answer.isRepeat }
    },
    async append(messages, { ids, isAtomic = false }) {
      if (isClosed) throw new Fault('APP_STOPPING', { detail: 'append' })
      mustBeBatch(messages, ids)
      const checked = messages.map((message, at) => {
        const given = ids?.[at]
        const id = given ?? mint()
        const isChosen = given !== undefined
        try {
          return eventOf(engine, message, { id, isChosen }, ['command', 'event']).event
        } catch (cause) {
          const fault = faultIn(cause)
          if (!fault) throw cause
          return { id, key: keyOf(engine, message), fault }
        }
      })
      mustKeepUp()
      return appendChecked(checked, isAtomic, queue.add)
    },
    async close() {
      isClosed = true
      await queue.drained()
    },
  }
}

/** A message that failed validation. */
interface Unfit {
  readonly id: string
  readonly key: string | undefined
  readonly fault: Fault
}

/**
 * Appends the valid messages; with `isAtomic` only if all are valid. No message overtakes an
 * invalid one of its key.
 */
async function appendChecked(
  checked: readonly (LogEvent | Unfit)[],
  isAtomic: boolean,
  add: (events: readonly LogEvent[], isAtomic: boolean) => Promise<readonly Answer[]>,
): Promise<readonly Appended[]> {
  const unfit = checked.filter((each): each is Unfit => 'fault' in each)
  if (unfit.length === 0) {
    const events = checked as readonly LogEvent[]
    return (await add(events, isAtomic)).map((answer, at) =>
      appended((events[at] as LogEvent).id, answer),
    )
  }
  const broken = new Set<string | undefined>()
  const answers = checked.map((each): Appended | LogEvent => {
    const { id, key } = each
    if ('fault' in each) {
      broken.add(key)
      const { code, detail, complaints } = each.fault
      return complaints.length > 0
        ? { is: 'refused', id, code, detail, complaints }
        : { is: 'refused', id, code, detail }
    }
    const detail = 'another message of the batch was refused'
    if (isAtomic) return { is: 'refused', id, code: 'BATCH_REFUSED', detail }
    if (!broken.has(key)) return each
    return { is: 'refused', id, code: 'EARLIER_NOT_STORED', detail: 'of the same key' }
  })
  const fit = answers.filter((each): each is LogEvent => !('is' in each))
  const stored = fit.length === 0 ? [] : await add(fit, false)
  let next = 0
  return answers.map((each) => ('is' in each ? each : appended(each.id, stored[next++] as Answer)))
}

function appended(id: string, answer: Answer): Appended {
  if (answer.is === 'stored') {
    const { isRepeat, place } = answer
    return place ? { is: 'stored', id, isRepeat, place } : { is: 'stored', id, isRepeat }
  }
  return { ...answer, id }
}

function mustBeBatch(messages: readonly Message[], ids: readonly string[] | undefined): void {
  const complaints: Complaint[] = []
  if (!Array.isArray(messages) || messages.length > MESSAGES_MAX)
    complaints.push({ path: 'messages', message: `must be a list of at most ${MESSAGES_MAX}` })
  else if (ids && ids.length !== messages.length)
    complaints.push({ path: 'ids', message: `must be as many as the ${messages.length} messages` })
  if (complaints.length > 0) throw new Fault('MESSAGE_INVALID', { detail: 'append', complaints })
}

/** The key of an invalid message, if it has one. */
function keyOf({ plan }: EngineTools, message: Message | undefined): string | undefined {
  const facts = plan.contracts.get(message?.contract ?? '')
  const data = message?.data as Readonly<Record<string, unknown>> | null | undefined
  const key = facts && data?.[facts.key]
  return typeof key === 'string' ? key : undefined
}

function eventOf(
  { plan, clock }: EngineTools,
  message: Message,
  { id, isChosen }: { readonly id: string; readonly isChosen: boolean },
  kinds: readonly string[],
  trace: TraceContext = {},
): { event: LogEvent; type: MessageType } {
  const ids = { id }
  const facts = plan.contracts.get(message?.contract)
  const type = facts?.byName.get(message.name)
  if (!facts || !type || !kinds.includes(type.kind)) {
    const { contract, name, kind } = (message ?? {}) as Partial<Message>
    const detail = facts
      ? `${contract}.${name} is of kind ${kind}, and must be a ${kinds.join(' or an ')}`
      : `the contract ${contract} is unknown: start its owner here, or add it to remote`
    throw new Fault('MESSAGE_INVALID', { detail })
  }
  const complaints: Complaint[] = []
  const flaw = flawOfKey(id)
  if (flaw) complaints.push({ path: 'id', message: flaw })
  complaints.push(...complaintsOfTrace(trace))
  if (complaints.length > 0) throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints })
  const publisher = type.kind === 'event' ? publisherOf(plan, type) : undefined
  if (publisher) throw new Fault('MESSAGE_INVALID', { detail: `${type.wire} ${publisher}` })
  const verdict = checkMessage(facts, message)
  if (verdict.is === 'rejected')
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints: verdict.complaints, ids })
  const { data, key, json } = verdict.checked
  const misnamed = type.kind === 'command' ? complaintsOfIds(plan, type, data) : []
  if (misnamed.length > 0)
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints: misnamed, ids })
  const at = clock.now()
  const { wire, version } = type
  const topic = type.kind === 'command' ? commandsTopic(facts.name) : eventsTopic(facts.name)
  const begins = { correlation: id, ...(isChosen ? { origin: topic } : {}), hops: 0 }
  const envelope = { id, type: wire, key, at, source: 'door', ...begins, version }
  const partition = partitionOf(key, facts.partitions)
  const head = encodeHead({ ...envelope, ...traceContextOf(trace) })
  return { event: { topic, partition, id, key, type: wire, at, head, data: json }, type }
}

type NotStored = Exclude<Answer, { readonly is: 'stored' }>

const CODES: Partial<Record<LogRefusal, FaultCode>> = {
  EARLIER_NOT_STORED: 'EARLIER_NOT_STORED',
  ID_CONFLICT: 'ID_CONFLICT',
  LOG_DAMAGED: 'LOG_DAMAGED',
  LOG_FULL: 'LOG_FULL',
}

function faultOf(event: LogEvent, answer: NotStored): Fault {
  const ids = { id: event.id, key: event.key, topic: event.topic }
  if (answer.is === 'unknown')
    return new Fault('LOG_UNKNOWN', { detail: event.type, ids, cause: answer.cause })
  const code = CODES[answer.code] ?? 'LOG_REFUSED'
  const detail = code === 'LOG_REFUSED' ? `${answer.code}: ${answer.detail}` : answer.detail
  return new Fault(code, { detail, ids })
}
