import type { Fault } from '../base/fault.ts'
import { isFinal } from '../base/fault.ts'
import type { Random } from '../base/random.ts'
import { thrownError } from '../base/thrown.ts'
import { progressId } from '../ports/composite-keys.ts'
import type { LogEvent, LogRecord, Slice } from '../ports/log.ts'
import type { Advance, StreamEntry } from '../ports/store.ts'
import { arrivalOf } from './arrival.ts'
import { advance, concerns, fire } from './advance.ts'
import type { TimerRow } from './timer-row.ts'
import { timerIndex } from './timer-row.ts'
import type { Budget } from './budget.ts'
import { decide } from './decide.ts'
import type { Faulted } from './faulted.ts'
import { faultedBy, faultOf } from './faulted.ts'
import type { Attempt } from './handle.ts'
import { handled } from './handle.ts'
import type { Held, Holds, RetryOptions } from './holds.ts'
import { holdKeyOf } from './hold-row.ts'
import { holdBack, holdOn, letGo, retryDelayMs } from './holds.ts'
import type { Consumer, Group, Reaction } from './plan.ts'
import { project } from './project.ts'
import { loadAhead, rowsOfTimers } from './rows-ahead.ts'
import type { Cell, Draft, RowCache } from './rows.ts'
import { draftOver } from './rows.ts'
import type { Arrival, Step, Surroundings } from './step.ts'
import { ruleFault } from './step.ts'

/** One message for one consumer. */
export interface Item {
  readonly reaction: Reaction
  readonly record: LogRecord
  readonly arrival: Arrival
  /** Set if the message was held. */
  readonly held?: { readonly holdKey: string; readonly key: string; readonly isFirst: boolean }
  /** Set once a handler was called with it. */
  readonly attempt?: Attempt
  /** Set once its rule's result is known to be impossible to commit. */
  readonly flaw?: Fault
}

/** The work of one unit. */
export interface Turn {
  readonly timers: readonly Cell[]
  readonly items: readonly Item[]
  /** How far partitions were read, if the deliveries are all that was found there. */
  readonly slices: readonly Slice[]
}

/** What a batch has staged for its unit. */
export interface Staged {
  /** The part of the batch that was run; the rest is for the next unit. */
  readonly turn: Turn
  readonly draft: Draft
  readonly appends: LogEvent[]
  readonly streams: StreamEntry[]
  readonly touched: Set<string>
  /** Counts by consumer, topic, partition. */
  readonly counts: Map<string, Counts>
  /** The same counts by consumer and topic, each a list by partition. */
  readonly tallies: Map<Consumer, Map<string, Counts[]>>
  readonly faults: Faulted[]
  /** Computing time of the rules, in milliseconds. */
  readonly computedMs: number
}

/** Staged changes while the rules run. */
type UnitInProgress = Omit<Staged, 'turn' | 'computedMs'> & { computedMs: number }

export interface Counts extends Pick<Advance, 'consumer' | 'topic' | 'partition'> {
  accepted: number
  completed: number
  pending: number
  expired: number
}

export interface TurnTools {
  readonly around: Surroundings
  readonly group: Group
  readonly rows: RowCache
  readonly holds: Holds
  readonly random: Random
  readonly retry: RetryOptions
  readonly budget: Budget
  /** How long the rules of one unit may compute before the unit ends early. */
  readonly computeMsMax: number
}

/** The deliveries of a record: one per consumer with a rule for it. */
export function itemsOf(group: Group, record: LogRecord): Item[] {
  const reactions = group.reactions.get(record.topic)?.get(record.type)
  if (!reactions) return []
  const arrival = arrivalOf(record, reactions)
  return reactions
    .filter((reaction) => concerns(reaction, arrival))
    .map((reaction): Item => ({ reaction, record, arrival }))
}

/** Runs all rules of a batch in order, and stages what they return. */
export async function runTurn(tools: TurnTools, turn: Turn): Promise<Staged> {
  await tools.rows.load(rowsOfTimers(turn.timers))
  const staged: UnitInProgress = {
    computedMs: 0,
    draft: draftOver({ cell: tools.rows.peek }),
    appends: [],
    streams: [],
    touched: new Set(),
    counts: new Map(),
    tallies: new Map(),
    faults: [],
  }
  for (const timer of turn.timers) fireTimer(tools, staged, timer)
  const blocked = new Set<string>()
  tools.budget.begin()
  let [ran, loaded] = [0, 0]
  for (const item of turn.items) {
    // Rules block the event loop: leave the rest for the next unit.
    if (staged.computedMs > tools.computeMsMax) break
    if (ran === loaded) {
      const ahead = await loadAhead(tools, turn, ran)
      staged.computedMs += ahead.tookMs
      loaded = ahead.upTo
    }
    ran += 1
    // This waits only for rows that could not be named ahead.
    const pending = runItem(tools, staged, item, blocked)
    if (!pending) continue
    await pending
    tools.budget.begin()
  }
  if (ran === turn.items.length) return { ...staged, turn }
  // A record may have run for some of its consumers only: each has passed its own last delivery.
  return { ...staged, turn: { ...turn, items: turn.items.slice(0, ran), slices: [] } }
}

function fireTimer(tools: TurnTools, staged: UnitInProgress, cell: Cell): void {
  // Gone already, if a conflict has had it read again.
  if (staged.draft.cell(cell.table, cell.key)?.version === 0) return
  const timer = cell.value as TimerRow
  const consumer = tools.group.consumers.find(({ ruleId }) => ruleId === timer.rule)
  try {
    if (cell.flaw) throw cell.flaw
    if (consumer?.rule.is !== 'saga') throw ruleFault(`the saga ${timer.rule} no longer exists`)
    const { id: messageId, at, key } = timer.cause
    const occasion = { messageId, at, key }
    const arrival: Arrival = { envelope: timer.cause, occasion, data: undefined }
    const step = stepOf(tools, staged, arrival, consumer)
    fire(step, consumer.rule, cell.key, timer)
    take(staged, step)
  } catch (cause) {
    staged.draft.undo()
    putOff(tools, staged, cell, cause)
  }
}

/** Delays a timer that cannot be sent, longer each time. Other timers go on. */
function putOff(tools: TurnTools, staged: UnitInProgress, cell: Cell, cause: unknown): void {
  const timer = cell.value as TimerRow
  const { clock, delays, service } = tools.around
  const attempts = (timer.attempts ?? 0) + 1
  const delayMs = retryDelayMs(tools.retry, isFinal(cause) ? Infinity : attempts, tools.random())
  const at = clock.now()
  const index = timerIndex(delays, delayMs)
  staged.draft.put(service.names.timers, cell.key, {
    value: { ...timer, attempts, delayMs, dueAt: index.due },
    version: cell.version + 1,
    index,
  })
  const { id: messageId, key } = timer.cause
  const saga = tools.group.consumers.find(({ ruleId }) => ruleId === timer.rule)
  const consumer = saga?.name ?? `${service.name}/${timer.rule}`
  const type = `${timer.message.contract}.${timer.message.name}`
  const fault = { consumer, messageId, key, type, at, attempts, nextAttemptAt: at + delayMs }
  staged.faults.push({ ...fault, ...faultedBy(thrownError(cause)) })
}

function runItem(
  tools: TurnTools,
  staged: UnitInProgress,
  item: Item,
  blocked: Set<string>,
): Promise<void> | undefined {
  const { reaction, record, held } = item
  const { names } = tools.around.service
  if (held && blocked.has(held.holdKey)) return undefined
  // Released by another instance: a conflict has had it read again.
  if (held && staged.draft.cell(names.held, held.key)?.version === 0) return undefined
  // Usually nothing is held, and no hold key is needed.
  const holdKey = (): string => held?.holdKey ?? holdKeyOf(reaction.consumer, record)
  // A handler that was not called because its key was held is called in the next batch.
  const isUntried = reaction.consumer.rule.is === 'handler' && !item.attempt && !item.flaw
  const mayBeHeld = !held && tools.holds.isAny(staged.draft)
  if ((!held && isUntried) || (mayBeHeld && tools.holds.isHeld(staged.draft, holdKey()))) {
    count(staged, item, { accepted: 1, pending: 1 })
    holdBack(staged.draft, names, reaction.consumer, record, {
      due: 0,
      delayMs: 0,
      ...heldAt(tools),
    })
    return undefined
  }
  if (item.attempt?.is === 'later' || item.attempt?.is === 'running') {
    wait(tools, staged, item, item.attempt)
    blocked.add(holdKey())
    return undefined
  }
  const done = (fault: { cause: unknown } | undefined): void => {
    if (!fault && held) {
      letGo(staged.draft, names, held.holdKey, held.key)
      count(staged, item, { completed: 1, pending: -1 })
    } else if (!fault) count(staged, item, DONE)
    else {
      recordFault(tools, staged, item, fault.cause)
      blocked.add(holdKey())
    }
  }
  const outcome = tryItem(tools, staged, item)
  if (outcome instanceof Promise) return outcome.then(done)
  done(outcome)
  return undefined
}

/** The current times for a hold. */
function heldAt({ around: { clock, delays } }: TurnTools): Pick<Held, 'at' | 'since'> {
  return { at: clock.now(), since: Math.floor(delays.now()) }
}

/** Holds a message without an error: the handler asked for a later retry, or still runs. */
function wait(
  tools: TurnTools,
  staged: UnitInProgress,
  item: Item,
  attempt: Extract<Attempt, { readonly is: 'later' | 'running' }>,
): void {
  const { reaction, record, held } = item
  const { names } = tools.around.service
  const delayMs = attempt.is === 'later' ? attempt.delayMs : 0
  const waits = { due: tools.around.delays.dueIn(delayMs), delayMs, ...heldAt(tools) }
  if (held) {
    if (attempt.is === 'later')
      holdOn(staged.draft, names, held.holdKey, { ...waits, isFirst: held.isFirst })
    return
  }
  count(staged, item, { accepted: 1, pending: 1 })
  holdBack(staged.draft, names, reaction.consumer, record, waits)
}

function recordFault(tools: TurnTools, staged: UnitInProgress, item: Item, cause: unknown): void {
  const { reaction, record, held } = item
  const { names } = tools.around.service
  const holdKey = held?.holdKey ?? holdKeyOf(reaction.consumer, record)
  const cell = staged.draft.cell(names.holds, holdKey)
  const before = (cell?.value as { attempts: number } | undefined)?.attempts ?? 0
  const attempts = held ? before + 1 : 1
  const delayMs = retryDelayMs(tools.retry, isFinal(cause) ? Infinity : attempts, tools.random())
  const error = thrownError(cause)
  const { at, since } = heldAt(tools)
  const fault = { error, due: tools.around.delays.dueIn(delayMs), delayMs, at, since }
  if (held) holdOn(staged.draft, names, holdKey, { ...fault, isFirst: held.isFirst })
  else {
    count(staged, item, { accepted: 1, pending: 1 })
    holdBack(staged.draft, names, reaction.consumer, record, fault)
  }
  const nextAttemptAt = at + delayMs
  staged.faults.push(faultOf(reaction.consumer, record, error, { at, attempts, nextAttemptAt }))
}

/**
 * `undefined` if the rule ran; the cause if it threw. Asynchronous only if rows have to be loaded.
 */
function tryItem(
  tools: TurnTools,
  staged: UnitInProgress,
  item: Item,
): Promise<{ cause: unknown } | undefined> | { cause: unknown } | undefined {
  const flaw = item.flaw ?? item.arrival.fault
  if (flaw) return { cause: flaw }
  const step = stepOf(tools, staged, item.arrival, item.reaction.consumer)
  try {
    if (runRule(step, item)) {
      take(staged, step)
      return undefined
    }
    staged.draft.undo()
  } catch (cause) {
    staged.draft.undo()
    return { cause }
  } finally {
    staged.computedMs += tools.budget.end(item)
  }
  return tools.rows.load(step.wanted).then(() => {
    tools.budget.begin()
    return tryItem(tools, staged, item)
  })
}

function runRule(step: Step, { attempt, reaction }: Item): boolean {
  const { consumer, rule } = reaction
  switch (consumer.rule.is) {
    case 'entity':
      return decide(step, consumer.rule, rule)
    case 'projection':
      return project(step, consumer.rule, rule)
    case 'saga':
      return advance(step, consumer.rule, rule)
    case 'handler': {
      if (attempt?.is === 'failed') throw attempt.cause
      handled(step, consumer.rule, attempt?.is === 'handled' ? attempt.returned : undefined)
      return true
    }
  }
}

function stepOf(
  tools: TurnTools,
  staged: UnitInProgress,
  arrival: Arrival,
  consumer: Consumer,
): Step {
  staged.draft.begin()
  return {
    around: tools.around,
    arrival,
    consumer,
    draft: staged.draft,
    appends: [],
    streams: [],
    wanted: [],
    // A notification for an unchanged conversation is harmless: its waiters look again.
    touched: staged.touched,
  }
}

function take(staged: UnitInProgress, step: Step): void {
  const first = staged.appends.length
  for (const event of step.appends) staged.appends.push(event)
  for (const entry of step.streams) staged.streams.push({ ...entry, append: entry.append + first })
}

function count(
  staged: UnitInProgress,
  { reaction, record }: Item,
  added: Partial<Pick<Counts, 'accepted' | 'completed' | 'pending'>>,
): void {
  const counts = countsOf(staged, reaction.consumer, record)
  counts.accepted += added.accepted ?? 0
  counts.completed += added.completed ?? 0
  counts.pending += added.pending ?? 0
}

const DONE = { accepted: 1, completed: 1 }

function countsOf(
  { counts, tallies }: UnitInProgress,
  consumer: Consumer,
  { topic, partition }: LogRecord,
): Counts {
  let topics = tallies.get(consumer)
  if (!topics) tallies.set(consumer, (topics = new Map()))
  let partitions = topics.get(topic)
  if (!partitions) topics.set(topic, (partitions = []))
  const known = partitions[partition]
  if (known) return known
  const nothing = { accepted: 0, completed: 0, pending: 0, expired: 0 }
  const made = { consumer: consumer.id, topic, partition, ...nothing }
  partitions[partition] = made
  counts.set(progressId(made), made)
  return made
}
