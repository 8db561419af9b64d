import type { Envelope } from '../contract/envelope.ts'
import type { Message, MessageType } from '../contract/message.ts'
import { upcast } from '../contract/upcast.ts'
import type { IndexValue, RowKey } from '../ports/store.ts'
import type { Compensate, Effect, NameOfType, OneOrMany, Outcome } from '../rules/effect.ts'
import { listOf } from '../rules/effect.ts'
import type { Rule } from '../rules/rule.ts'
import { callRule } from '../rules/rule.ts'
import type { Saga } from '../rules/saga.ts'
import type { ReplyData } from './arrival.ts'
import type { Reaction } from './plan.ts'
import { subjectOf } from './project.ts'
import type { Cell, Draft } from './rows.ts'
import type { Arrival, Step, StepSurroundings } from './step.ts'
import {
  cellsOf,
  checked,
  checkedBefore,
  idIn,
  publish,
  publishChecked,
  ruleFault,
} from './step.ts'
import type { TimerRow } from './timer-row.ts'
import { timerIndex } from './timer-row.ts'

/** A command that a saga instance has sent. */
interface Sent extends NameOfType {
  readonly id: string
}

/**
 * A saga instance as its row stores it. The row of a closed instance stays, so that no later
 * message starts it again.
 */
export type InstanceRow =
  | {
      readonly is: 'open'
      readonly operation: string
      /** The `origin` of the conversation: see `Envelope`. */
      readonly origin?: string
      /** When it began, by the delay clock. Absent in rows of earlier versions. */
      readonly since?: number
      readonly state: unknown
      readonly sent: readonly Sent[]
      readonly timers: readonly string[]
    }
  | {
      readonly is: 'closed'
      readonly operation: string
      readonly origin?: string
      readonly outcome: StoredOutcome
    }

/** How an instance ended, as its row keeps it: these names are in stored data. */
export interface StoredOutcome {
  readonly is: string
  readonly reason?: string
}

const storedOutcome = ({ is, reason }: Outcome): StoredOutcome => {
  return { is, ...(reason === undefined ? {} : { reason }) }
}

export const outcomeOf = ({ is, reason }: StoredOutcome): Outcome => {
  return { is, ...(reason === undefined ? {} : { reason }) }
}

/** A timer of this length or longer resets the hop count. */
const TIMER_ENDS_HOPS_MS = 1_000

/** Index value of an open instance whose start is unknown; such instances sort first. */
export const OPEN_SINCE_UNKNOWN = 1

type OpenInstance = Extract<InstanceRow, { is: 'open' }>

/** Sent commands that an instance keeps for compensation. */
const SENT_MAX = 1_000

/** Whether a record is addressed to this subscription. A reply concerns one saga rule only. */
export function concerns({ rule, consumer }: Reaction, arrival: Arrival): boolean {
  // Most records are no replies: decide that without decoding the envelope.
  if (rule.hears === 'message') return true
  const { contract, name } = arrival.data as ReplyData
  const isOurs = arrival.envelope.sender?.rule === consumer.ruleId
  return isOurs && rule.on.contract === contract && rule.on.name === name
}

export function rowsToAdvance(
  { arrival, consumer: { table } }: Pick<Step, 'arrival' | 'consumer'>,
  saga: Saga,
  rule: Rule,
): RowKey[] {
  return [{ table, key: instanceOf(saga, rule, arrival) }]
}

function instanceOf(saga: Saga, { on, hears }: Rule, { envelope, data }: Arrival): string {
  if (hears === 'message') return idIn(subjectOf(on, data), saga.by, on)
  if (envelope.sender) return envelope.sender.instance
  throw ruleFault(`an answer to ${on.wire} does not name the instance that sent it`)
}

/**
 * Runs a saga rule on one message. A closed instance ignores later messages. Returns false when
 * rows have to be loaded first.
 */
export function advance(step: Step, saga: Saga, rule: Rule): boolean {
  const { arrival, consumer } = step
  const { table } = consumer
  const key = instanceOf(saga, rule, arrival)
  const cell = cellsOf(step, table, [key])?.get(key)
  if (!cell) return false
  const before = cell.value as InstanceRow | undefined
  if (before?.is === 'closed') return true
  const { envelope, data } = arrival
  const instance: OpenInstance = before ?? {
    is: 'open',
    operation: envelope.correlation,
    ...(envelope.origin === undefined ? {} : { origin: envelope.origin }),
    since: Math.floor(step.around.delays.now()),
    state: saga.initial,
    sent: [],
    timers: [],
  }
  const result = callRule(rule, data, instance.state, arrival.occasion)
  const effects = listOf(result as OneOrMany<Effect>)
  // A message without effects starts no instance: nothing would ever finish it.
  if (!before && effects.length === 0) return true
  const next = performAll(step, saga, key, instance, effects)
  if (!next) return false
  putInstance(step.draft, { table, key }, cell.version + 1, next)
  step.touched.add(next.operation)
  return true
}

export function putInstance(
  draft: Draft,
  { table, key }: RowKey,
  version: number,
  value: InstanceRow,
): void {
  const index: Record<string, IndexValue> = {
    operation: value.operation,
    open: value.is === 'open' ? (value.since ?? OPEN_SINCE_UNKNOWN) : null,
  }
  draft.put(table, key, { value, version, index })
}

/** Performs effects in order. Each effect sees the changes of the ones before it. */
function performAll(
  step: Step,
  saga: Saga,
  key: string,
  instance: OpenInstance,
  effects: readonly Effect[],
): InstanceRow | undefined {
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
        open = withSent(open, effect.message, sendFrom(step, saga, key, effect.message))
        break
      case 'compensate':
        open = withSent(open, effect.message, undo(step, saga, key, open, effect))
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
    outcome: storedOutcome(outcome),
  }
}

function withSent(instance: OpenInstance, message: Message, id: string): OpenInstance {
  const { contract, name } = message
  return { ...instance, sent: [...instance.sent, { contract, name, id }].slice(-SENT_MAX) }
}

function sendFrom(step: Step, saga: Saga, key: string, message: Message): string {
  mustDeclare(saga, saga.sends, message)
  return publish(step, message, { sender: senderOf(step, key) }).id
}

function undo(
  step: Step,
  saga: Saga,
  key: string,
  instance: OpenInstance,
  { message, undoes }: Compensate,
): string {
  mustDeclare(saga, saga.sends, message)
  const sent = instance.sent.findLast(
    ({ contract, name }) => contract === undoes.contract && name === undoes.name,
  )
  if (!sent)
    throw ruleFault(
      `saga ${saga.name} cannot compensate ${undoes.contract}.${undoes.name}: this instance has not sent it`,
    )
  return publish(step, message, { sender: senderOf(step, key), undoes: sent.id }).id
}

function senderOf(step: Step, instance: string): NonNullable<Envelope['sender']> {
  return { service: step.around.service.id, rule: step.consumer.ruleId, instance }
}

function mustDeclare(saga: Saga, declared: readonly MessageType[], message: Message): void {
  const { contract, name } = message
  if (!declared.some((type) => type.contract === contract && type.name === name))
    throw ruleFault(
      `saga ${saga.name} sent ${contract}.${name} without declaring it: add it to its sends, or to its ` +
        `emits if a timer publishes an event of its own service`,
    )
}

function setTimer(
  step: Step,
  saga: Saga,
  instance: string,
  { delayMs, message }: { delayMs: number; message: Message },
): string {
  mustDeclare(saga, [...saga.sends, ...saga.emits], message)
  if (!Number.isFinite(delayMs) || delayMs < 0)
    throw ruleFault('a delay must be a number of milliseconds, 0 or more')
  // Validate when the timer is set, so that the rule that sets it gets the error. The schema does
  // not run again when the timer fires.
  const { data } = checked(step.around.plan, message)
  const { around, arrival, consumer } = step
  const key = around.mint()
  const { table, ruleId } = consumer
  // The hop limit guards against endless cycles. A cycle with a long timer in it is slow enough to
  // allow.
  const { envelope } = arrival
  const cause = delayMs >= TIMER_ENDS_HOPS_MS ? { ...envelope, hops: 0 } : envelope
  const index = timerIndex(around.delays, delayMs)
  const kept = { table, rule: ruleId, instance, message: { ...message, data }, cause }
  const { version = 1 } = typeOf(around.plan, message) ?? {}
  const waits = { delayMs, dueAt: index.due }
  const value: TimerRow = version === 1 ? { ...kept, ...waits } : { ...kept, ...waits, version }
  step.draft.add(around.service.names.timers, key, { value, version: 1, index })
  return key
}

function cancelTimers(step: Step, timers: readonly string[]): boolean {
  const table = step.around.service.names.timers
  const cells = cellsOf(step, table, timers)
  if (!cells) return false
  for (const [key, { version }] of cells)
    if (version > 0) step.draft.put(table, key, { value: undefined, version: 0 })
  return true
}

/** The rows that firing a timer reads. */
export function rowsToFire({ table, instance }: TimerRow): RowKey[] {
  return [{ table, key: instance }]
}

/**
 * Sends the message of a due timer in the name of its instance, unless that instance has finished.
 */
export function fire(step: Step, saga: Saga, timerKey: string, timer: TimerRow): void {
  const { timers } = step.around.service.names
  const cell = step.draft.cell(timer.table, timer.instance) as Cell
  const instance = cell.value as InstanceRow | undefined
  step.draft.put(timers, timerKey, { value: undefined, version: 0 })
  if (instance?.is !== 'open') return
  const isCommand = timer.message.kind === 'command'
  const sender = senderOf(step, timer.instance)
  const message = ofToday(step.around.plan, timer)
  const kept = checkedBefore(step.around.plan, message)
  const { id } = publishChecked(step, message, kept, isCommand ? { sender } : {})
  const left = { ...instance, timers: instance.timers.filter((key) => key !== timerKey) }
  const next = isCommand ? withSent(left, timer.message, id) : left
  putInstance(step.draft, { table: timer.table, key: timer.instance }, cell.version + 1, next)
}

/** The message of a timer, upcast to the version that the code has today. */
function ofToday(plan: StepSurroundings['plan'], { message, version }: TimerRow): Message {
  const type = typeOf(plan, message)
  return type ? { ...message, data: upcast(type, message.data, version) } : message
}

const typeOf = (
  plan: StepSurroundings['plan'],
  { contract, name }: NameOfType,
): MessageType | undefined => plan.contracts.get(contract)?.byName.get(name)
