import { breathe } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { faultIn } from '../base/thrown.ts'
import type { RowKey, Unit } from '../ports/store.ts'
import type { Basis } from './basis.ts'
import { basisOf, keepsRows } from './basis.ts'
import type { Builds } from './builds.ts'
import { claimsOf } from './claims.ts'
import { conflictsOf } from './conflicts.ts'
import { damageFault } from './damage.ts'
import { delayedReading } from './delayed-reading.ts'
import type { Sources } from './gathering.ts'
import type { KnownHold } from './holds.ts'
import { holdsOf } from './holds.ts'
import { orderedReader } from './merge.ts'
import type { Outside, OutsideSignals } from './outside.ts'
import { outsideOf, queueSlots } from './outside.ts'
import type { Group, ServicePlan } from './plan.ts'
import { progressOf } from './progress.ts'
import { refoldFor } from './refold.ts'
import type { Cell } from './rows.ts'
import { rowCache, writesOf } from './rows.ts'
import { timersOf } from './timers.ts'
import type { EngineTools } from './tools.ts'
import type { Item, Staged, Turn, TurnTools } from './turn.ts'
import { runTurn } from './turn.ts'
import type { Unended } from './unended.ts'
import { unendedOf } from './unended.ts'
import type { Watch } from './watch.ts'

/** Whether a group is a handler; other groups contain pure rules only. */
export const isOutsideGroup = ({ consumers }: Group): boolean =>
  consumers.some(({ rule }) => rule.is === 'handler')

/** Runs the batches of a group, and commits them. */
export interface Worker {
  readonly sources: Sources
  readonly outside: Outside
  readonly unended: Unended
  /** Drops all state in memory; what is committed is the truth. */
  reset(): Promise<void>
  /** Whether a rebuild has replaced the rows in memory, or is about to. */
  isOutOfDate(): boolean
  /**
   * Runs a batch and commits it. A conflict splits it in halves, down to one message. Without a
   * batch, since its work went to another member, it resets. Returns the rest if a unit ended
   * early.
   */
  work(turn: Turn | undefined): Promise<Turn | undefined>
}

function sourcesOf(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  aborting: AbortSignal,
): Sources {
  const { clock, delays, options, plan } = engine
  const { log, store } = engine.backend
  const progress = progressOf(store, group, (topic) => plan.topics.get(topic)?.partitions ?? 0)
  const slots = queueSlots(engine, group, aborting)
  const [rule] = group.consumers.map((consumer) => consumer.rule)
  return {
    group,
    // Only rows of projections depend on the order of events over several topics.
    log: keepsRows(group) ? orderedReader(log) : log,
    clock,
    delays,
    options,
    rows: rowCache(store, options.cacheBytesMax, refoldFor(engine, service)),
    holds: holdsOf(store, service.names, group.consumers, { delays, retry: options }),
    timers: timersOf(store, service.names, { delays, lookMs: options.idleMs }),
    progress,
    claims: claimsOf(engine, group, progress),
    ...(rule?.is === 'handler' && rule.delayMs > 0
      ? { delayed: delayedReading(clock, delays, rule.delayMs) }
      : {}),
    standing: standingIn(group, engine),
    ...(slots ? { slots } : {}),
  }
}

/** The held keys that this instance works on: the state of others may be out of date. */
function heldHere({ claims, holds, progress }: Sources): Iterable<KnownHold> {
  const { held, shards } = claims.share()
  if (held === shards) return holds.all()
  const isHere = ({ key }: KnownHold): boolean =>
    claims.holds({ resource: progress.resourceOf(key) })
  return [...holds.all()].filter(isHere)
}

/** Reports once that a group is stopped by damage, and once that it continues. */
function standingIn({ name }: Group, { watch }: EngineTools): Sources['standing'] {
  const told = new Set<string>()
  return ({ topic, partition, damage }) => {
    const place = `${name} at ${topic}/${partition}`
    if (damage === undefined) {
      if (told.delete(place)) watch.mended(place)
    } else if (!told.has(place)) {
      told.add(place)
      watch.broke(place, damageFault(topic, `${topic}/${partition}`, damage))
    }
  }
}

export function workerOf(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  signals: OutsideSignals,
  builds: Builds,
): Worker {
  const sources = sourcesOf(engine, service, group, signals.aborting)
  const { rows, holds, timers, progress, claims, slots } = sources
  const outside = outsideOf(engine, sources, signals)
  const basis = basisOf(group, builds)
  engine.watch.holding(group.name, () => heldHere(sources))
  const isHere = ({ record }: Item): boolean =>
    claims.holds({ resource: progress.resourceOf(record.key) })

  async function reset(): Promise<void> {
    slots?.keep(isHere)
    outside.forget()
    rows.clear()
    await basis.load()
    await progress.reload(builds.isDormant)
    await holds.load()
    await timers.load()
  }

  const { store } = engine.backend
  const { alone, clock, options } = engine
  const unended = unendedOf({ store, clock, group, holds, progress, alone, options })
  const work = unitsOf(engine, service, { sources, basis, unended, reset })
  return { sources, outside, unended, reset, isOutOfDate: basis.isOutOfDate, work }
}

interface UnitsParts extends Pick<Worker, 'sources' | 'unended' | 'reset'> {
  readonly basis: Basis
}

/** Creates the function that runs a batch and commits it. */
function unitsOf(
  engine: EngineTools,
  service: ServicePlan,
  { sources, basis, unended, reset }: UnitsParts,
): Worker['work'] {
  const { budget, clock, delays, options, plan, mint, random, watch } = engine
  const { store } = engine.backend
  const { group, rows, holds, progress, slots } = sources
  const around: TurnTools['around'] = { plan, service, clock, delays, mint }
  // Handlers were called before; here their results are only staged.
  const computeMsMax = isOutsideGroup(group) ? Infinity : options.unitComputeMsMax
  const limits = { retry: options, computeMsMax }
  const tools: TurnTools = { around, group, rows, holds, random, budget, ...limits }
  const conflicts = conflictsOf(group.name, watch)

  async function work(turn: Turn | undefined): Promise<Turn | undefined> {
    if (!turn) return reset().then(() => undefined)
    const isEmpty = turn.items.length === 0 && turn.timers.length === 0
    if (isEmpty && !progress.moves(turn.slices)) return undefined
    const staged = await runTurn(tools, turn).catch(damageIn)
    if (staged instanceof Fault) return isolate(turn, staged)
    const { unit, cells } = unitOf(sources, basis, staged)
    const answer = await store.commit(unit).catch(damageIn)
    if (answer instanceof Fault) return isolate(turn, answer)
    if (answer.is === 'done') {
      conflicts.committed(staged.turn)
      unended.committed(staged.turn)
      committed(sources, watch, staged, unit, cells)
      if (staged.turn === turn) return undefined
      const { length: messages } = staged.turn.items
      budget.endedEarly(group.name, { tookMs: staged.computedMs, messages })
      await breathe(clock)
      return { ...turn, timers: [], items: turn.items.slice(messages) }
    }
    await reset()
    if (answer.is === 'conflict') await conflicted(turn, answer.rows)
    else slots?.forget()
    return undefined
  }

  /** Runs again in smaller units. A conflict that no other commit explains is held as an error. */
  async function conflicted(turn: Turn, keys: readonly RowKey[]): Promise<void> {
    // Load rows that were believed to be new but exist, and rows that were lost.
    rows.doubt(keys)
    await rows.load(keys)
    // The rest is read again after the first half.
    const half = halfOf(turn, (item) => item.held !== undefined || progress.isAhead(item))
    if (half) return void (await work(half))
    const fault = conflicts.met(
      turn,
      keys.map(({ table, key }) => rows.peek(table, key)),
    )
    if (fault) await isolate(turn, fault)
  }

  /** Finds the message whose changes cannot be committed, by halves, and holds it. */
  async function isolate(turn: Turn, fault: Fault): Promise<undefined> {
    const half = halfOf(turn, () => true)
    if (half) return void (await work(half))
    const { timers, items } = turn
    const [one] = [...timers, ...items]
    if (!one || one.flaw) throw fault
    await work(withFault(turn, fault))
    return undefined
  }

  return work
}

/** Applies a committed unit in memory, and notifies the monitor. */
function committed(
  { group, slots, rows, holds, timers, progress }: Sources,
  watch: Watch,
  { turn, draft, touched, faults }: Staged,
  unit: Unit,
  cells: readonly Cell[],
): void {
  slots?.committed(turn.items)
  rows.keep(cells)
  rows.trim()
  holds.committed(draft)
  timers.committed(draft)
  progress.advanced(unit.progress)
  for (const conversation of touched) watch.touched(conversation)
  for (const fault of faults) watch.faulted(fault)
  for (const lost of unit.progress) {
    if (lost.expired === 0) continue
    for (const { name: consumer, id } of group.consumers)
      if (id === lost.consumer) watch.expired({ ...lost, consumer })
  }
}

function unitOf(
  { progress, claims }: Sources,
  basis: Basis,
  staged: Staged,
): { unit: Unit; cells: readonly Cell[] } {
  const { turn } = staged
  const { writes, checks, cells } = writesOf(staged.draft)
  const advances = progress.advances(turn, staged.counts)
  const fences = claims.fences(advances, turn.timers.length > 0)
  const { appends, streams } = staged
  const guarded = basis.guarded(checks)
  const unit = { fences, progress: advances, rows: writes, checks: guarded, appends, streams }
  return { unit, cells }
}

const DAMAGE: ReadonlySet<string> = new Set(['DATA_DAMAGED', 'LOG_DAMAGED'])

/** Damage of a row or a partition affects some messages, and must not stop the others. */
function damageIn(cause: unknown): Fault {
  const fault = faultIn(cause)
  if (fault && DAMAGE.has(fault.code)) return fault
  throw cause
}

/** A batch whose timers and deliveries all carry a fault. */
function withFault({ timers, items }: Turn, fault: Fault): Turn {
  return {
    timers: timers.map((timer): Cell => ({ ...timer, flaw: fault })),
    items: items.map((item): Item => ({ ...item, flaw: fault })),
    slices: [],
  }
}

/** The first half of a batch, timers before deliveries; `undefined` if it cannot be split. */
function halfOf({ timers, items }: Turn, isLeft: (item: Item) => boolean): Turn | undefined {
  const half = (timers.length + items.length) >> 1
  if (half === 0) return undefined
  if (timers.length > 0) return { timers: timers.slice(0, half), items: [], slices: [] }
  return { timers: [], items: items.slice(0, half).filter(isLeft), slices: [] }
}
