import { pause } from '../base/clock.ts'
import type { Fault } from '../base/fault.ts'
import type { Unit } from '../ports/store.ts'
import { claimsOf } from './claims.ts'
import type { EngineTools } from './tools.ts'
import type { Sources } from './gathering.ts'
import { gather } from './gathering.ts'
import { holdKeyOf, holdsOf } from './holds.ts'
import { attemptAll } from './lanes.ts'
import type { Group, ServicePlan } from './plan.ts'
import { progressOf } from './progress.ts'
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
export function processor(engine: EngineTools, service: ServicePlan, group: Group): Processor {
  const { clock, options, watch } = engine
  const worker = workerOf(engine, service, group)
  const { sources } = worker
  const isOutside = group.consumers.some(({ rule }) => rule.is === 'handler')
  const stopping = new AbortController()
  const aborting = new AbortController()

  async function turn(): Promise<void> {
    const { claims } = sources
    if (clock.now() >= claims.beatDue() && (await claims.beat()) === 'changed') await worker.reset()
    const gathered = await gather(sources, stopping.signal)
    if (stopping.signal.aborted || engine.pauses.isPaused(service.name)) return
    const items = isOutside ? await attempt(gathered.items) : gathered.items
    if (items) await worker.work({ ...gathered, items })
    else await worker.reset()
  }

  /** Calls a handler, beating meanwhile; nothing when the work went to another member. */
  async function attempt(items: readonly Item[]): Promise<readonly Item[] | undefined> {
    const { claims, holds } = sources
    const [ended, lost] = [new AbortController(), new AbortController()]
    const keeping = claims.keep(ended.signal, () => lost.abort())
    const signal = AbortSignal.any([aborting.signal, lost.signal])
    const attempted = await attemptAll(items, engine.tools, signal, (item) =>
      holds.isKnown(holdKeyOf(item.reaction.consumer, item.record.key)),
    )
    ended.abort()
    await keeping
    return lost.signal.aborted ? undefined : attempted
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
          await engine.pauses.look()
          if (engine.pauses.isPaused(service.name)) await engine.pauses.changed(stopping.signal)
          else await turn()
        } catch (cause) {
          isStale = true
          watch.broke(group.name, cause)
          await pause(clock, options.retryDelayMs, stopping.signal)
        }
      }
      await sources.claims.release().catch((cause: unknown) => watch.broke(group.name, cause))
    },
    stop: () => stopping.abort(),
    abort: () => aborting.abort(),
  }
}

interface Worker {
  readonly sources: Sources
  /** Forgets everything in memory; what is committed is the truth. */
  reset(): Promise<void>
  /** Runs a turn and commits it; a conflict splits it in halves, down to one message. */
  work(turn: Turn): Promise<void>
}

function workerOf(engine: EngineTools, service: ServicePlan, group: Group): Worker {
  const { clock, options, plan, mint, random, watch } = engine
  const { log, store } = engine.backend
  const rows = rowCache(store, options.cacheBytesMax)
  const holds = holdsOf(store, service.names, group.consumers)
  const timers = timersOf(store, service.names, options.idleMs)
  const progress = progressOf(store, group, (topic) => plan.topics.get(topic)?.partitions ?? 0)
  const claims = claimsOf(engine, group, progress)
  const around = { plan, service, clock, mint }
  const tools: TurnTools = { around, group, rows, holds, random, retry: options }

  async function reset(): Promise<void> {
    rows.clear()
    await progress.reload()
    await holds.load()
    await timers.load()
  }

  async function work(turn: Turn): Promise<void> {
    const isEmpty = turn.items.length === 0 && turn.timers.length === 0
    if (isEmpty && !progress.moves(turn.slices)) return
    const staged = await runTurn(tools, turn)
    const flaw = flawOf(staged.draft)
    if (flaw) return isolate(turn, flaw)
    const { unit, cells } = unitOf(staged, turn)
    const answer = await store.commit(unit)
    if (answer.is === 'done') return committed(staged, unit, cells)
    await reset()
    if (answer.is === 'conflict' && turn.timers.length === 0 && turn.items.length > 1)
      // The rest is read again once the first half is through.
      await work({ timers: [], items: turn.items.slice(0, turn.items.length >> 1), slices: [] })
  }

  /** What cannot be kept is the fault of one message: found by halves, it is held like any other. */
  async function isolate({ timers, items }: Turn, flaw: Fault): Promise<void> {
    const [first] = items
    if (!first || first.flaw) throw flaw
    if (timers.length > 0) return work({ timers, items: [], slices: [] })
    if (items.length === 1) return work({ timers, items: [{ ...first, flaw }], slices: [] })
    await work({ timers, items: items.slice(0, items.length >> 1), slices: [] })
  }

  function unitOf(staged: Staged, turn: Turn): { unit: Unit; cells: readonly Cell[] } {
    const { writes, checks, cells } = writesOf(staged.draft)
    const advances = progress.advances(turn, staged.counts)
    const fences = claims.fences(advances, turn.timers.length > 0)
    const { appends, streams } = staged
    return { unit: { fences, progress: advances, rows: writes, checks, appends, streams }, cells }
  }

  function committed(staged: Staged, unit: Unit, cells: readonly Cell[]): void {
    rows.keep(cells)
    rows.trim()
    holds.committed(staged.draft)
    timers.committed(staged.draft)
    progress.advanced(unit.progress)
    for (const conversation of staged.touched) watch.touched(conversation)
    for (const fault of staged.faults) watch.faulted(fault)
  }

  const sources = { group, log, clock, options, rows, holds, timers, claims, progress }
  return { sources, reset, work }
}
