import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { faultIn } from '../base/thrown.ts'
import type { Unit } from '../ports/store.ts'
import { claimsOf } from './claims.ts'
import type { EngineTools } from './tools.ts'
import type { Basis } from './basis.ts'
import { basisOf, keepsRows } from './basis.ts'
import type { Builds } from './builds.ts'
import type { Sources } from './gathering.ts'
import { gather } from './gathering.ts'
import { holdsOf } from './holds.ts'
import type { Outside, OutsideSignals } from './outside.ts'
import { outsideOf, queueSlots } from './outside.ts'
import { orderedReader } from './merge.ts'
import type { Group, ServicePlan } from './plan.ts'
import { progressOf } from './progress.ts'
import { refoldFor } from './refold.ts'
import type { Cell } from './rows.ts'
import { flawOf, rowCache, writesOf } from './rows.ts'
import { timersOf } from './timers.ts'
import type { Item, Staged, Turn, TurnTools } from './turn.ts'
import { runTurn } from './turn.ts'

/** The loop that polls a group's partitions and moves their records through the rules. */
export interface Processor {
  /** Reads and works until stopped. */
  run(): Promise<void>
  /** Takes nothing new; ends after the unit in hand. */
  stop(): void
  /** Aborts handlers that still run. */
  abort(): void
}

/**
 * One turn after another: gather, run the rules, commit. Whatever goes wrong with the backend, the
 * processor forgets what it has in memory and goes on from what is committed.
 */
export function processor(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  builds: Builds,
): Processor {
  const { clock, options, pauses, watch } = engine
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  const signals = { stopping: stopping.signal, aborting: aborting.signal }
  const worker = workerOf(engine, service, group, signals, builds)
  const { sources, outside } = worker
  const isOutside = group.consumers.some(({ rule }) => rule.is === 'handler')
  let rewindsSeen = 0

  /** Whether what is in memory may no longer be so: by a beat, or by an operator. */
  async function isChanged(): Promise<boolean> {
    const { claims } = sources
    const rewound = pauses.rewinds(service.name)
    const isRewound = rewound !== rewindsSeen
    rewindsSeen = rewound
    const isOther = isRewound || worker.isOutOfDate()
    if (clock.now() < claims.beatDue()) return isOther
    const answer = await claims.beat()
    watch.shared(group.name, claims.share())
    return isOther || answer === 'changed'
  }

  async function turn(): Promise<void> {
    if (await isChanged()) await worker.reset()
    const gathered = await gather(sources, stopping.signal)
    if (stopping.signal.aborted || pauses.isPaused(service.name)) return
    await work(isOutside ? await outside.attempt(gathered) : gathered)
  }

  const work = (gathered: Turn | undefined): Promise<void> =>
    gathered ? worker.work(gathered) : worker.reset()

  /** Commits what ends while there is grace, so that the next start need not repeat it. */
  async function drain(): Promise<void> {
    for (let left = await outside.drain(); left; left = await outside.drain()) await work(left)
  }

  return {
    async run() {
      // What is half forgotten must not be worked on: a hold that is missing breaks its key's order.
      let isStale = false
      while (!stopping.signal.aborted) {
        try {
          if (isStale) await worker.reset()
          if (isStale) watch.mended(group.name)
          isStale = false
          await pauses.look()
          if (pauses.isPaused(service.name)) await pauses.changed(stopping.signal)
          else await turn()
        } catch (cause) {
          isStale = true
          watch.broke(group.name, cause)
          if (sources.claims.isLapsed()) sources.slots?.keep(() => false)
          await pause(clock, options.retryDelayMs, stopping.signal)
        }
      }
      const ended = isStale ? Promise.resolve() : drain()
      const released = ended.then(() => sources.claims.release())
      await released.catch((cause: unknown) => watch.broke(group.name, cause))
    },
    stop: () => stopping.abort(),
    abort: () => aborting.abort(),
  }
}

interface Worker {
  readonly sources: Sources
  readonly outside: Outside
  /** Forgets everything in memory; what is committed is the truth. */
  reset(): Promise<void>
  /** Whether other rows have taken the place of those in memory, or are about to. */
  isOutOfDate(): boolean
  /** Runs a turn and commits it; a conflict splits it in halves, down to one message. */
  work(turn: Turn): Promise<void>
}

function sourcesOf(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  aborting: AbortSignal,
): Sources {
  const { clock, options, plan } = engine
  const { log, store } = engine.backend
  const progress = progressOf(store, group, (topic) => plan.topics.get(topic)?.partitions ?? 0)
  const slots = queueSlots(engine, group, aborting)
  const [rule] = group.consumers.map((consumer) => consumer.rule)
  return {
    group,
    // The order of events over several topics matters to rows alone.
    log: keepsRows(group) ? orderedReader(log) : log,
    clock,
    options,
    rows: rowCache(store, options.cacheBytesMax, refoldFor(engine, service)),
    holds: holdsOf(store, service.names, group.consumers),
    timers: timersOf(store, service.names, options.idleMs),
    progress,
    claims: claimsOf(engine, group, progress),
    delayMs: rule?.is === 'handler' ? rule.delayMs : 0,
    standing: standingIn(group, engine),
    ...(slots ? { slots } : {}),
  }
}

/** Tells once where a group stands in front of damage, and when it goes on. */
function standingIn({ name }: Group, { watch }: EngineTools): Sources['standing'] {
  const told = new Set<string>()
  return ({ topic, partition, damage }) => {
    const place = `${name} at ${topic}/${partition}`
    if (damage === undefined) {
      if (told.delete(place)) watch.mended(place)
    } else if (!told.has(place)) {
      told.add(place)
      watch.broke(place, new Fault('LOG_DAMAGED', { detail: `${topic}/${partition}: ${damage}` }))
    }
  }
}

function workerOf(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  signals: OutsideSignals,
  builds: Builds,
): Worker {
  const { budget, clock, options, plan, mint, random, watch } = engine
  const { store } = engine.backend
  const sources = sourcesOf(engine, service, group, signals.aborting)
  const { rows, holds, timers, progress, claims, slots } = sources
  const around = { plan, service, clock, mint }
  const tools: TurnTools = { around, group, rows, holds, random, retry: options, budget }
  const isHere = ({ record }: Item): boolean =>
    claims.holds({ resource: progress.resourceOf(record.key) })
  const basis = basisOf(group, builds)

  async function reset(): Promise<void> {
    slots?.keep(isHere)
    rows.clear()
    await basis.load()
    await progress.reload(builds.isDormant)
    await holds.load()
    await timers.load()
  }

  async function work(turn: Turn): Promise<void> {
    const isEmpty = turn.items.length === 0 && turn.timers.length === 0
    if (isEmpty && !progress.moves(turn.slices)) return
    const staged = await runTurn(tools, turn).catch(damageIn)
    if (staged instanceof Fault) return isolate(turn, staged)
    const flaw = flawOf(staged.draft)
    if (flaw) return isolate(turn, flaw)
    const { unit, cells } = unitOf(sources, basis, staged, turn)
    const answer = await store.commit(unit).catch(damageIn)
    if (answer instanceof Fault) return isolate(turn, answer)
    if (answer.is === 'done') return committed(turn, staged, unit, cells)
    await reset()
    if (answer.is !== 'conflict') return slots?.forget()
    if (turn.timers.length === 0 && turn.items.length > 1)
      // The rest is read again once the first half is through.
      await work({ timers: [], items: firstHalf(turn.items).filter(progress.isAhead), slices: [] })
  }

  /** What cannot be kept is the fault of one message: found by halves, it is held like any other. */
  async function isolate({ timers, items }: Turn, flaw: Fault): Promise<void> {
    const [first] = items
    if (!first || first.flaw) throw flaw
    if (timers.length > 0) return work({ timers, items: [], slices: [] })
    if (items.length === 1) return work({ timers, items: [{ ...first, flaw }], slices: [] })
    await work({ timers, items: firstHalf(items), slices: [] })
  }

  function committed(turn: Turn, staged: Staged, unit: Unit, cells: readonly Cell[]): void {
    slots?.committed(turn.items)
    rows.keep(cells)
    rows.trim()
    holds.committed(staged.draft)
    timers.committed(staged.draft)
    progress.advanced(unit.progress)
    for (const conversation of staged.touched) watch.touched(conversation)
    for (const fault of staged.faults) watch.faulted(fault)
    for (const advance of unit.progress) if (advance.expired > 0) watch.expired(advance)
  }

  const outside = outsideOf(engine, sources, signals)
  return { sources, outside, reset, isOutOfDate: basis.isOutOfDate, work }
}

function unitOf(
  { progress, claims }: Sources,
  basis: Basis,
  staged: Staged,
  turn: Turn,
): { unit: Unit; cells: readonly Cell[] } {
  const { writes, checks, cells } = writesOf(staged.draft)
  const advances = progress.advances(turn, staged.counts)
  const fences = claims.fences(advances, turn.timers.length > 0)
  const { appends, streams } = staged
  const guarded = basis.guarded(checks)
  const unit = { fences, progress: advances, rows: writes, checks: guarded, appends, streams }
  return { unit, cells }
}

const DAMAGE: ReadonlySet<string> = new Set(['DATA_DAMAGED', 'LOG_DAMAGED'])

/** Damage of a row or a partition is met by some messages, and must not stop the others. */
function damageIn(cause: unknown): Fault {
  const fault = faultIn(cause)
  if (fault && DAMAGE.has(fault.code)) return fault
  throw cause
}

function firstHalf(items: readonly Item[]): readonly Item[] {
  return items.slice(0, items.length >> 1)
}
