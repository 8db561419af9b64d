import type { Issue, FaultCode } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { asFault } from '../../base/errors/thrown-error.ts'
import { commandsTopic, eventsTopic } from '../../contract/contract.ts'
import { validateMessage } from '../../contract/validate-message.ts'
import { encodeHead } from '../../contract/envelope.ts'
import type { CommandType, Message, MessageType } from '../../contract/message.ts'
import { partitionOf } from '../../contract/partition.ts'
import type { TraceContext } from '../../contract/trace-context.ts'
import { traceContextIssues, validTraceContext } from '../../contract/trace-context.ts'
import type { LogAppendResult, LogEvent, LogRefusalCode, Place } from '../../ports/event-log.ts'
import { entityIdIssues } from './entity-id-issues.ts'
import { whyNotAppendable } from './append-permission.ts'
import type { EngineContext } from '../context/index.ts'
import { createAppendQueue } from './append-queue.ts'
import { readConsumerStatus } from '../operations/index.ts'
import { invalidKeyReason } from '../../contract/message-key.ts'

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
  readonly isDuplicate: boolean
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
export type AppendResult =
  | {
      readonly status: 'stored'
      readonly id: string
      /** The log had it already; the place is that of the first append. */
      readonly isDuplicate: boolean
      /** If the backend returns it. */
      readonly place?: Place
    }
  | {
      readonly status: 'refused'
      readonly id: string
      readonly code: FaultCode | LogRefusalCode
      readonly detail: string
      readonly issues?: readonly Issue[]
    }
  | { readonly status: 'unknown'; readonly id: string; readonly cause: unknown }

/** Takes messages from outside. */
export interface Sender {
  send(message: Message, options: SendOptions): Promise<SentCommand>
  append(messages: readonly Message[], options: AppendOptions): Promise<readonly AppendResult[]>
  /** Takes no new messages; resolves when all taken messages are answered. */
  close(): Promise<void>
}

const LAG_CHECK_MS = 1_000
const BATCH_MESSAGES_MAX = 10_000

export function createSender(engine: EngineContext): Sender {
  const { clock, options, newId } = engine
  const queue = createAppendQueue(engine)
  let isClosed = false
  let lagCheckedAt = -Infinity
  let lagging: string | undefined

  /** Reads the lag of the consumers, at most once a second. */
  async function checkLag(): Promise<void> {
    lagCheckedAt = clock.elapsed()
    const worst = (await readConsumerStatus(engine)).toSorted((a, b) => b.lag - a.lag)[0]
    const isOver = worst !== undefined && worst.lag > options.lagEventsMax
    lagging = isOver
      ? `${worst.consumer} lags by ${worst.lag} events: wait, and send again`
      : undefined
  }

  /** Synchronous, so that no call is overtaken by a later one. */
  function assertNoBackpressure(): void {
    if (clock.elapsed() - lagCheckedAt >= LAG_CHECK_MS)
      checkLag().then(
        () => engine.monitor.recovered('sender'),
        (cause: unknown) => engine.monitor.failed('sender', cause),
      )
    if (lagging) throw new Fault('BACKPRESSURE', { detail: lagging })
  }

  return {
    async send(message, { id: given, ...trace }) {
      const id = given ?? newId()
      if (isClosed) throw new Fault('APP_STOPPING', { detail: 'send', ids: { id } })
      const isChosen = given !== undefined
      const { event, type } = encodeEvent(engine, message, { id, isChosen }, ['command'], trace)
      assertNoBackpressure()
      const [answer] = (await queue.add([event])) as [LogAppendResult]
      if (answer.status !== 'stored') throw appendFault(event, answer)
      return { id, command: type as CommandType, isDuplicate: answer.isDuplicate }
    },
    async append(messages, { ids, isAtomic = false }) {
      if (isClosed) throw new Fault('APP_STOPPING', { detail: 'append' })
      validateBatch(messages, ids)
      const checked = messages.map((message, at) => {
        const given = ids?.[at]
        const id = given ?? newId()
        const isChosen = given !== undefined
        try {
          return encodeEvent(engine, message, { id, isChosen }, ['command', 'event']).event
        } catch (cause) {
          const fault = asFault(cause)
          if (!fault) throw cause
          return { id, key: findKey(engine, message), fault }
        }
      })
      assertNoBackpressure()
      return appendValid(checked, isAtomic, queue.add)
    },
    async close() {
      isClosed = true
      await queue.whenDrained()
    },
  }
}

/** A message that failed validation. */
interface RejectedMessage {
  readonly id: string
  readonly key: string | undefined
  readonly fault: Fault
}

/**
 * Appends the valid messages; with `isAtomic` only if all are valid. No message overtakes an
 * invalid one of its key.
 */
async function appendValid(
  checked: readonly (LogEvent | RejectedMessage)[],
  isAtomic: boolean,
  add: (events: readonly LogEvent[], isAtomic: boolean) => Promise<readonly LogAppendResult[]>,
): Promise<readonly AppendResult[]> {
  const unfit = checked.filter((each): each is RejectedMessage => 'fault' in each)
  if (unfit.length === 0) {
    const events = checked as readonly LogEvent[]
    return (await add(events, isAtomic)).map((answer, at) =>
      createAppended((events[at] as LogEvent).id, answer),
    )
  }
  const broken = new Set<string | undefined>()
  const answers = checked.map((each): AppendResult | LogEvent => {
    const { id, key } = each
    if ('fault' in each) {
      broken.add(key)
      const { code, detail, issues } = each.fault
      return issues.length > 0
        ? { status: 'refused', id, code, detail, issues }
        : { status: 'refused', id, code, detail }
    }
    const detail = 'another message of the batch was refused'
    if (isAtomic) return { status: 'refused', id, code: 'BATCH_REFUSED', detail }
    if (!broken.has(key)) return each
    return { status: 'refused', id, code: 'EARLIER_NOT_STORED', detail: 'of the same key' }
  })
  const fit = answers.filter((each): each is LogEvent => !('status' in each))
  const stored = fit.length === 0 ? [] : await add(fit, false)
  let next = 0
  return answers.map((each) =>
    'status' in each ? each : createAppended(each.id, stored[next++] as LogAppendResult),
  )
}

function createAppended(id: string, answer: LogAppendResult): AppendResult {
  if (answer.status === 'stored') {
    const { isDuplicate, place } = answer
    return place
      ? { status: 'stored', id, isDuplicate, place }
      : { status: 'stored', id, isDuplicate }
  }
  return { ...answer, id }
}

function validateBatch(messages: readonly Message[], ids: readonly string[] | undefined): void {
  const issues: Issue[] = []
  if (!Array.isArray(messages) || messages.length > BATCH_MESSAGES_MAX)
    issues.push({ path: 'messages', message: `must be a list of at most ${BATCH_MESSAGES_MAX}` })
  else if (ids && ids.length !== messages.length)
    issues.push({ path: 'ids', message: `must be as many as the ${messages.length} messages` })
  if (issues.length > 0) throw new Fault('MESSAGE_INVALID', { detail: 'append', issues })
}

/** The key of an invalid message, if it has one. */
function findKey({ plan }: EngineContext, message: Message | undefined): string | undefined {
  const facts = plan.contracts.get(message?.contract ?? '')
  const data = message?.data as Readonly<Record<string, unknown>> | null | undefined
  const key = facts && data?.[facts.key]
  return typeof key === 'string' ? key : undefined
}

function encodeEvent(
  { plan, clock }: EngineContext,
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
  const issues: Issue[] = []
  const issue = invalidKeyReason(id)
  if (issue) issues.push({ path: 'id', message: issue })
  issues.push(...traceContextIssues(trace))
  if (issues.length > 0) throw new Fault('MESSAGE_INVALID', { detail: type.wire, issues })
  const publisher = type.kind === 'event' ? whyNotAppendable(plan, type) : undefined
  if (publisher) throw new Fault('MESSAGE_INVALID', { detail: `${type.wire} ${publisher}` })
  const verdict = validateMessage(facts, message)
  if (verdict.status === 'invalid')
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, issues: verdict.issues, ids })
  const { data, key, json } = verdict.message
  const idIssues = type.kind === 'command' ? entityIdIssues(plan, type, data) : []
  if (idIssues.length > 0)
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, issues: idIssues, ids })
  const at = clock.now()
  const { wire, version } = type
  const topic = type.kind === 'command' ? commandsTopic(facts.name) : eventsTopic(facts.name)
  const begins = { correlation: id, ...(isChosen ? { origin: topic } : {}), hops: 0 }
  const envelope = { id, type: wire, key, at, source: 'door', ...begins, version }
  const partition = partitionOf(key, facts.partitions)
  const head = encodeHead({ ...envelope, ...validTraceContext(trace) })
  return { event: { topic, partition, id, key, type: wire, at, head, data: json }, type }
}

type NotStored = Exclude<LogAppendResult, { readonly status: 'stored' }>

const FAULT_CODES: Partial<Record<LogRefusalCode, FaultCode>> = {
  EARLIER_NOT_STORED: 'EARLIER_NOT_STORED',
  ID_CONFLICT: 'ID_CONFLICT',
  LOG_DAMAGED: 'LOG_DAMAGED',
  LOG_FULL: 'LOG_FULL',
}

function appendFault(event: LogEvent, answer: NotStored): Fault {
  const ids = { id: event.id, key: event.key, topic: event.topic }
  if (answer.status === 'unknown')
    return new Fault('LOG_UNKNOWN', { detail: event.type, ids, cause: answer.cause })
  const code = FAULT_CODES[answer.code] ?? 'LOG_REFUSED'
  const detail = code === 'LOG_REFUSED' ? `${answer.code}: ${answer.detail}` : answer.detail
  return new Fault(code, { detail, ids })
}
