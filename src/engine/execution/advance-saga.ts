import type { Envelope } from '../../contract/envelope.ts'
import type { Message, MessageType } from '../../contract/message.ts'
import { upcast } from '../../contract/upcast.ts'
import type { IndexValue, RowKey } from '../../ports/event-store.ts'
import type { Compensate, Effect, MessageTypeName, OneOrMany, Outcome } from '../../rules/effect.ts'
import { toList } from '../../rules/effect.ts'
import type { Rule } from '../../rules/rule.ts'
import { callRule } from '../../rules/rule.ts'
import type { Saga } from '../../rules/saga.ts'
import type { ReplyData } from './inbound-message.ts'
import type { Subscription } from '../plan/index.ts'
import { subjectOf } from './project.ts'
import type { CachedRow, UnitDraft } from '../rows/index.ts'
import type { InboundMessage, RuleRun, RuleRunEnvironment } from './rule-run.ts'
import {
  readRows,
  encodeForRule,
  encodeStored,
  readId,
  publish,
  publishEncoded,
  ruleFault,
} from './rule-run.ts'
import type { TimerRow } from './timer-row.ts'
import { timerIndex } from './timer-row.ts'

/** A command that a saga instance has sent. */
interface RememberedCommand extends MessageTypeName {
  readonly id: string
}

/**
 * A saga instance as its row stores it. The row of a closed instance stays, so that no later
 * message starts it again.
 */
export type SagaInstanceRow =
  | {
      readonly is: 'open'
      readonly operation: string
      /** The `origin` of the conversation: see `Envelope`. */
      readonly origin?: string
      /** When it began, by the delay clock. Absent in rows of earlier versions. */
      readonly since?: number
      readonly state: unknown
      readonly sent: readonly RememberedCommand[]
      readonly timers: readonly string[]
      /** It has sent a compensation. */
      readonly isRollingBack?: true
    }
  | {
      readonly is: 'closed'
      readonly operation: string
      readonly origin?: string
      readonly outcome: StoredOutcome
      /** When it ended, by the wall clock. Absent in rows of earlier versions. */
      readonly at?: number
    }

/** How an instance ended, as its row keeps it: these names are in stored data. */
export interface StoredOutcome {
  readonly is: string
  readonly reason?: string
}

const storedOutcome = ({ status, reason }: Outcome): StoredOutcome => {
  return { is: status, ...(reason === undefined ? {} : { reason }) }
}

export const outcomeOf = ({ is, reason }: StoredOutcome): Outcome => {
  return { status: is, ...(reason === undefined ? {} : { reason }) }
}

/** A timer of this length or longer resets the hop count. */
const TIMER_ENDS_HOPS_MS = 1_000

/** Index value of an open instance whose start is unknown; such instances sort first. */
export const OPEN_SINCE_UNKNOWN = 1

type OpenInstance = Extract<SagaInstanceRow, { is: 'open' }>

/** Sent commands that an instance keeps for compensation. */
const SENT_MAX = 1_000

/** Whether a record is addressed to this subscription. A reply concerns one saga rule only. */
export function isAddressedTo({ rule, consumer }: Subscription, inbound: InboundMessage): boolean {
  // Most records are no replies: decide that without decoding the envelope.
  if (rule.trigger === 'message') return true
  const { contract, name } = inbound.data as ReplyData
  const isOurs = inbound.envelope.sender?.rule === consumer.ruleId
  return isOurs && rule.on.contract === contract && rule.on.name === name
}

export function rowsForSaga(
  { inbound, consumer: { table } }: Pick<RuleRun, 'inbound' | 'consumer'>,
  saga: Saga,
  rule: Rule,
): RowKey[] {
  return [{ table, key: instanceKey(saga, rule, inbound) }]
}

function instanceKey(
  saga: Saga,
  { on, trigger }: Rule,
  { envelope, data }: InboundMessage,
): string {
  if (trigger === 'message') return readId(subjectOf(on, data), saga.by, on)
  if (envelope.sender) return envelope.sender.instance
  throw ruleFault(`an answer to ${on.wire} does not name the instance that sent it`)
}

/**
 * Runs a saga rule on one message. A closed instance ignores later messages. Returns false when
 * rows have to be loaded first.
 */
export function advanceSaga(step: RuleRun, saga: Saga, rule: Rule): boolean {
  const { inbound, consumer } = step
  const { table } = consumer
  const key = instanceKey(saga, rule, inbound)
  const row = readRows(step, table, [key])?.get(key)
  if (!row) return false
  const before = row.value as SagaInstanceRow | undefined
  if (before?.is === 'closed') return true
  const { envelope, data } = inbound
  const instance: OpenInstance = before ?? {
    is: 'open',
    operation: envelope.correlation,
    ...(envelope.origin === undefined ? {} : { origin: envelope.origin }),
    since: Math.floor(step.environment.delays.now()),
    state: saga.initial,
    sent: [],
    timers: [],
  }
  const result = callRule(rule, data, instance.state, inbound.context)
  const effects = toList(result as OneOrMany<Effect>)
  // A message without effects starts no instance: nothing would ever finish it.
  if (!before && effects.length === 0) return true
  const next = performEffects(step, saga, key, instance, effects)
  if (!next) return false
  putInstance(step.draft, { table, key }, row.version + 1, next)
  step.changedConversations.add(next.operation)
  return true
}

export function putInstance(
  draft: UnitDraft,
  { table, key }: RowKey,
  version: number,
  value: SagaInstanceRow,
): void {
  const index: Record<string, IndexValue> = {
    operation: value.operation,
    open: value.is === 'open' ? (value.since ?? OPEN_SINCE_UNKNOWN) : null,
    closed: value.is === 'closed' ? (value.at ?? null) : null,
  }
  draft.put(table, key, { value, version, index })
}

/**
 * Whether a message is for an instance that is rolling back: it must not wait behind a message that has
 * failed, since the rollback may be what heals it. Its row was loaded before.
 */
export function isForRollback(
  { consumer, inbound, draft }: Pick<RuleRun, 'consumer' | 'inbound' | 'draft'>,
  saga: Saga,
  rule: Rule,
): boolean {
  if (inbound.fault) return false
  const [row] = rowsForSaga({ consumer, inbound }, saga, rule)
  const instance = row && (draft.row(row.table, row.key)?.value as SagaInstanceRow | undefined)
  return instance?.is === 'open' && instance.isRollingBack === true
}

/** Performs effects in order. Each effect sees the changes of the ones before it. */
function performEffects(
  step: RuleRun,
  saga: Saga,
  key: string,
  instance: OpenInstance,
  effects: readonly Effect[],
): SagaInstanceRow | undefined {
  let open = instance
  let outcome: StoredOutcome | undefined
  for (const effect of effects) {
    if (outcome)
      throw ruleFault(
        `saga ${saga.name} returned an effect after finish: finish must be the last one`,
      )
    switch (effect?.effect) {
      case 'become':
        open = { ...open, state: effect.state }
        break
      case 'send':
        open = withSent(open, effect.message, sendCommand(step, saga, key, effect.message))
        break
      case 'compensate':
        open = withSent(open, effect.message, sendCompensation(step, saga, key, open, effect))
        open = { ...open, isRollingBack: true }
        break
      case 'after':
        open = { ...open, timers: [...open.timers, setTimer(step, saga, key, effect)] }
        break
      case 'finish':
        outcome = storedOutcome(effect.outcome)
        break
      default:
        throw ruleFault(`saga ${saga.name} returned a value that is not an effect`)
    }
  }
  if (!outcome) return open
  if (!cancelTimers(step, open.timers)) return undefined
  const { operation, origin } = open
  return {
    is: 'closed',
    operation,
    ...(origin === undefined ? {} : { origin }),
    outcome,
    at: step.environment.clock.now(),
  }
}

function withSent(instance: OpenInstance, message: Message, id: string): OpenInstance {
  const { contract, name } = message
  return { ...instance, sent: [...instance.sent, { contract, name, id }].slice(-SENT_MAX) }
}

function sendCommand(step: RuleRun, saga: Saga, key: string, message: Message): string {
  assertDeclared(saga, saga.sends, message)
  return publish(step, message, { sender: senderOf(step, key) }).id
}

function sendCompensation(
  step: RuleRun,
  saga: Saga,
  key: string,
  instance: OpenInstance,
  { message, undoes }: Compensate,
): string {
  assertDeclared(saga, saga.sends, message)
  const sent = instance.sent.findLast(
    ({ contract, name }) => contract === undoes.contract && name === undoes.name,
  )
  if (!sent)
    throw ruleFault(
      `saga ${saga.name} cannot compensate ${undoes.contract}.${undoes.name}: this instance has not sent it`,
    )
  return publish(step, message, { sender: senderOf(step, key), undoes: sent.id }).id
}

function senderOf(step: RuleRun, instance: string): NonNullable<Envelope['sender']> {
  return { service: step.environment.service.id, rule: step.consumer.ruleId, instance }
}

function assertDeclared(saga: Saga, declared: readonly MessageType[], message: Message): void {
  const { contract, name } = message
  if (!declared.some((type) => type.contract === contract && type.name === name))
    throw ruleFault(
      `saga ${saga.name} sent ${contract}.${name} without declaring it: add it to its sends, or to its ` +
        `emits if a timer publishes an event of its own service`,
    )
}

function setTimer(
  step: RuleRun,
  saga: Saga,
  instance: string,
  { delayMs, message }: { delayMs: number; message: Message },
): string {
  assertDeclared(saga, [...saga.sends, ...saga.emits], message)
  if (!Number.isFinite(delayMs) || delayMs < 0)
    throw ruleFault('a delay must be a number of milliseconds, 0 or more')
  // Validate when the timer is set, so that the rule that sets it gets the error. The schema does
  // not run again when the timer fires.
  const { data } = encodeForRule(step.environment.plan, message)
  const { environment, inbound, consumer } = step
  const key = environment.newId()
  const { table, ruleId } = consumer
  // The hop limit guards against endless cycles. A cycle with a long timer in it is slow enough to
  // allow.
  const { envelope } = inbound
  const cause = delayMs >= TIMER_ENDS_HOPS_MS ? { ...envelope, hops: 0 } : envelope
  const index = timerIndex(environment.delays, delayMs)
  const kept = { table, rule: ruleId, instance, message: { ...message, data }, cause }
  const { version = 1 } = findMessageType(environment.plan, message) ?? {}
  const waits = { delayMs, dueAt: index.due }
  const value: TimerRow = version === 1 ? { ...kept, ...waits } : { ...kept, ...waits, version }
  step.draft.insert(environment.service.tableNames.timers, key, { value, version: 1, index })
  return key
}

function cancelTimers(step: RuleRun, timers: readonly string[]): boolean {
  const table = step.environment.service.tableNames.timers
  const rows = readRows(step, table, timers)
  if (!rows) return false
  for (const [key, { version }] of rows)
    if (version > 0) step.draft.put(table, key, { value: undefined, version: 0 })
  return true
}

/** The rows that firing a timer reads. */
export function rowsForTimer({ table, instance }: TimerRow): RowKey[] {
  return [{ table, key: instance }]
}

/**
 * Sends the message of a due timer in the name of its instance, unless that instance has finished.
 */
export function fireTimer(step: RuleRun, saga: Saga, timerKey: string, timer: TimerRow): void {
  const { timers } = step.environment.service.tableNames
  const row = step.draft.row(timer.table, timer.instance) as CachedRow
  const instance = row.value as SagaInstanceRow | undefined
  step.draft.put(timers, timerKey, { value: undefined, version: 0 })
  if (instance?.is !== 'open') return
  const isCommand = timer.message.kind === 'command'
  const sender = senderOf(step, timer.instance)
  const message = upcastTimerMessage(step.environment.plan, timer)
  const kept = encodeStored(step.environment.plan, message)
  const { id } = publishEncoded(step, message, kept, isCommand ? { sender } : {})
  const left = { ...instance, timers: instance.timers.filter((key) => key !== timerKey) }
  const next = isCommand ? withSent(left, timer.message, id) : left
  putInstance(step.draft, { table: timer.table, key: timer.instance }, row.version + 1, next)
}

/** The message of a timer, upcast to the version that the code has today. */
function upcastTimerMessage(
  plan: RuleRunEnvironment['plan'],
  { message, version }: TimerRow,
): Message {
  const type = findMessageType(plan, message)
  return type ? { ...message, data: upcast(type, message.data, version) } : message
}

const findMessageType = (
  plan: RuleRunEnvironment['plan'],
  { contract, name }: MessageTypeName,
): MessageType | undefined => plan.contracts.get(contract)?.byName.get(name)
