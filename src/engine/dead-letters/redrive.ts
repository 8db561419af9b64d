import { sleep } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { Advance, CommitResult, RowKey } from '../../ports/event-store.ts'
import { NO_COUNTS } from '../../ports/progress.ts'
import type { StatusChange } from '../../ports/status.ts'
import type { EngineContext, Pauses } from '../context/index.ts'
import { assertRunning, changeCountKey } from '../context/index.ts'
import type { EditRow } from '../failure/index.ts'
import {
  createStatusChange,
  editKey,
  holdError,
  holdStatus,
  redriveFront,
  releaseFront,
} from '../failure/index.ts'
import type { ListSource } from '../listing/index.ts'
import { serviceTables } from '../plan/index.ts'
import type { UnitDraft } from '../rows/index.ts'
import { createCachedRow, createDraft, createWrites } from '../rows/index.ts'
import type { DeadLetterFilter } from './dead-letter-types.ts'
import type { FoundLetter, LetterHold } from './find-dead-letters.ts'
import { findDeadLetters, holdsOfLetters } from './find-dead-letters.ts'

/** What redrives need of a system, running or not. */
export interface RedriveSystem extends ListSource {
  readonly pauses: Pick<Pauses, 'refresh'>
  /** Aborts once the app has stopped: a redrive at a rate ends then. */
  readonly stopped?: AbortSignal
}

/** Who asks for a change, and why. */
export interface AdminReason {
  readonly by: string
  readonly reason: string
}

export interface RedriveRequest extends DeadLetterFilter, AdminReason {
  /** Messages per second, at most. Default: no limit. */
  readonly perSecond?: number
}

export interface RedriveProgress {
  /** Messages put back to work, or discarded. */
  readonly done: number
  /** Messages that somebody else had resolved meanwhile. */
  readonly skipped: number
}

/** What a redrive would do. */
export interface RedrivePreview {
  /** Dead letters that are selected. */
  readonly letters: number
  /** The first of them: consumer and key. */
  readonly keys: readonly { readonly consumer: string; readonly key: string }[]
  /** Events that wait behind them. */
  readonly heldBehind: number
  /** Letters whose later events went on without them: they come out of order. */
  readonly outOfOrder: number
  /** Letters at handlers, whose effects outside are attempted again with the same effect key. */
  readonly effectsRepeated: number
}

/** Letters changed by one unit. */
const LETTERS_PER_UNIT = 100
const KEYS_SHOWN = 20
/** Other operators may change the same holds, and consumers those that they work on. */
const ATTEMPTS = 20

/** What would happen to the selected dead letters. Changes nothing. */
export async function previewRedrive(
  system: ListSource,
  filter: DeadLetterFilter,
): Promise<RedrivePreview> {
  let [letters, heldBehind, outOfOrder, effectsRepeated] = [0, 0, 0, 0]
  const keys: { consumer: string; key: string }[] = []
  for await (const chunk of chunksOf(findDeadLetters(system, filter))) {
    for (const [at, held] of (await holdsOfLetters(system, chunk)).entries()) {
      const { rule, status } = chunk[at] as FoundLetter
      letters += 1
      heldBehind += Math.max(0, (held?.hold.count ?? 1) - 1)
      if (held?.hold.isAside) outOfOrder += 1
      if (rule.is === 'handler') effectsRepeated += 1
      if (keys.length < KEYS_SHOWN) keys.push({ consumer: rule.name, key: status.key })
    }
  }
  return { letters, keys, heldBehind, outOfOrder, effectsRepeated }
}

/**
 * Puts the selected dead letters back to work, each in its place: its key continues where it stopped.
 * A letter is redriven once per call; after a crash, a second call redrives what is left.
 *
 * @throws Fault `RULE_NOT_FOUND`, `STORE_UNKNOWN`
 */
export function redrive(
  system: RedriveSystem,
  request: RedriveRequest,
  onProgress?: (progress: RedriveProgress) => void,
): Promise<RedriveProgress> {
  return resolveAll(system, request, REDRIVE, onProgress)
}

/**
 * Gives the selected dead letters up for good: the events behind them go on. A message that still has
 * attempts can be discarded by its id.
 *
 * @throws Fault `RULE_NOT_FOUND`, `STORE_UNKNOWN`
 */
export function discard(
  system: RedriveSystem,
  request: RedriveRequest,
  onProgress?: (progress: RedriveProgress) => void,
): Promise<RedriveProgress> {
  return resolveAll(system, request, DISCARD, onProgress)
}

type Resolution = typeof REDRIVE | typeof DISCARD
const REDRIVE = 'redrive'
const DISCARD = 'discard'

async function resolveAll(
  system: RedriveSystem,
  request: RedriveRequest,
  resolution: Resolution,
  onProgress: (progress: RedriveProgress) => void = () => undefined,
): Promise<RedriveProgress> {
  const { perSecond = Infinity } = request
  const size = Math.max(1, Math.min(LETTERS_PER_UNIT, Math.floor(perSecond)))
  let [done, skipped] = [0, 0]
  for await (const chunk of chunksOf(selected(system, request, resolution), size)) {
    if (done > 0 && perSecond < Infinity)
      await sleep(system.clock, (1_000 * size) / perSecond, system.stopped)
    if (system.stopped) assertRunning(system.stopped)
    for (const letters of byService(chunk)) {
      const changed = await resolveSome(system, letters, request, resolution)
      done += changed
      skipped += letters.length - changed
    }
    onProgress({ done, skipped })
  }
  await system.pauses.refresh()
  return { done, skipped }
}

/** The selected letters; a message that still has attempts is discarded by its id alone. */
async function* selected(
  system: RedriveSystem,
  request: RedriveRequest,
  resolution: Resolution,
): AsyncGenerator<FoundLetter> {
  yield* findDeadLetters(system, request)
  if (resolution === DISCARD && request.id !== undefined)
    yield* findDeadLetters(system, request, undefined, 'RETRY')
}

async function* chunksOf(
  letters: AsyncIterable<FoundLetter>,
  size = LETTERS_PER_UNIT,
): AsyncGenerator<readonly FoundLetter[]> {
  let chunk: FoundLetter[] = []
  for await (const letter of letters) {
    chunk.push(letter)
    if (chunk.length < size) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

function byService(letters: readonly FoundLetter[]): readonly (readonly FoundLetter[])[] {
  const services = new Map<string, FoundLetter[]>()
  for (const letter of letters) {
    const some = services.get(letter.rule.service)
    if (some) some.push(letter)
    else services.set(letter.rule.service, [letter])
  }
  return [...services.values()]
}

/** Resolves letters of one service in one unit. Returns how many were still there. */
async function resolveSome(
  system: RedriveSystem,
  letters: readonly FoundLetter[],
  by: AdminReason,
  resolution: Resolution,
): Promise<number> {
  let answer: CommitResult | undefined
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const holds = await holdsOfLetters(system, letters)
    const open = holds.filter((each) => each !== undefined)
    if (open.length === 0) return 0
    answer = await commitResolved(system, letters, holds, by, resolution)
    if (answer.status === 'done') return open.length
    if (answer.status === 'unknown') break
  }
  const cause = answer?.status === 'unknown' ? answer.cause : answer?.status
  throw new Fault('STORE_UNKNOWN', { detail: `a ${resolution} of dead letters`, cause })
}

async function commitResolved(
  system: RedriveSystem,
  letters: readonly FoundLetter[],
  holds: readonly (LetterHold | undefined)[],
  by: AdminReason,
  resolution: Resolution,
): Promise<CommitResult> {
  const { store } = system.backend
  const service = letters[0]?.rule.service ?? ''
  const tables = serviceTables(service)
  const countKey = changeCountKey(service)
  const ofLetters = holds.flatMap((each, at): RowKey[] => {
    const { rule } = letters[at] as FoundLetter
    if (!each) return []
    const edit = rule.is === 'projection' ? [editKey(service, rule.id, each.record)] : []
    const held = { table: tables.held, key: each.front }
    return [{ table: tables.holds, key: each.holdKey }, held, ...edit]
  })
  const keys = [countKey, ...ofLetters]
  const rows = await store.get(keys)
  const cached = new Map(
    keys.map((key, at) => [`${key.table} ${key.key}`, createCachedRow(key, rows[at])]),
  )
  const draft = createDraft({ row: (table, key) => cached.get(`${table} ${key}`) })
  const counts = new Map<string, Advance>()
  const statuses: StatusChange[] = []
  for (const [at, each] of holds.entries()) {
    if (!each) continue
    const { rule } = letters[at] as FoundLetter
    const letter = { ...each, consumer: rule.id }
    if (resolution === REDRIVE)
      redriveFront({ draft, tables }, each.holdKey, dueNow(system), 'operator')
    else {
      releaseFront({ draft, tables }, each.holdKey, each.front)
      if (rule.is === 'projection') leaveOut(system, draft, letter, by)
    }
    statuses.push(changeOf(system, letter, by, resolution))
    addCount(counts, letter, resolution)
  }
  const version = (cached.get(`${countKey.table} ${countKey.key}`)?.version ?? 0) + 1
  draft.put(countKey.table, countKey.key, { value: {}, version })
  const { writes, checks } = createWrites(draft)
  const progress = [...counts.values()]
  return store.commit({ ...EMPTY_UNIT, rows: writes, checks, progress, statuses })
}

/** A rebuild of the projection leaves a discarded message out, too. */
function leaveOut(
  { clock }: RedriveSystem,
  draft: UnitDraft,
  { consumer, record }: ResolvedLetter,
  { by, reason }: AdminReason,
): void {
  const { table, key } = editKey(consumer.split('/', 1)[0] ?? '', consumer, record)
  const value: EditRow = { consumer, json: null, version: 1, by, reason, at: clock.now() }
  draft.put(table, key, { value, version: (draft.row(table, key)?.version ?? 0) + 1 })
}

const dueNow = ({ delays }: Pick<EngineContext, 'delays'> | ListSource): number =>
  Math.floor(delays.now())

type ResolvedLetter = LetterHold & { readonly consumer: string }

function changeOf(
  { clock }: RedriveSystem,
  { hold, record, consumer }: ResolvedLetter,
  { by, reason }: AdminReason,
  resolution: Resolution,
): StatusChange {
  const changed = { by, at: clock.now() }
  const from = holdStatus(hold)
  const error = holdError(hold)
  const kept = error ? { error, detail: { stack: error.stack, reason } } : { detail: { reason } }
  if (resolution === REDRIVE) {
    const step = { from, to: 'UNPROCESSED', attempts: 0, ...kept } as const
    return createStatusChange({ id: consumer }, record, step, changed)
  }
  const { attempts } = hold
  const step = { from, to: 'FAILED', attempts, resolution: 'DISCARDED', ...kept } as const
  return createStatusChange({ id: consumer }, record, step, changed)
}

function addCount(
  counts: Map<string, Advance>,
  { consumer, hold, record: { topic, partition } }: ResolvedLetter,
  resolution: Resolution,
): void {
  const id = progressId({ consumer, topic, partition })
  const before = counts.get(id) ?? { consumer, topic, partition, from: null, next: 0, ...NO_COUNTS }
  const isDead = holdStatus(hold) === 'FAILED'
  const dead = before.dead - (isDead ? 1 : 0)
  const pending = before.pending + (resolution === REDRIVE ? 1 : 0) - (isDead ? 0 : 1)
  const discarded = before.discarded + (resolution === DISCARD ? 1 : 0)
  counts.set(id, { ...before, dead, pending, discarded })
}
