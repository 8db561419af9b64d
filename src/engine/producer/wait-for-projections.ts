import { sleep } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { commandsTopic, eventsTopic } from '../../contract/contract.ts'
import { decodeEnvelope } from '../../contract/envelope.ts'
import type { CommandType } from '../../contract/message.ts'
import { progressId } from '../../ports/composite-keys.ts'
import type { LogEnd, LogRecord } from '../../ports/event-log.ts'
import type { Projection } from '../../rules/projection.ts'
import { findStaleProjections } from '../projections/index.ts'
import type { OperationRow } from '../execution/index.ts'
import { heldUnder, findRules } from '../listing/index.ts'
import type { HeldKey } from '../listing/index.ts'
import type { Consumer } from '../plan/index.ts'
import { serviceTables } from '../plan/index.ts'
import type { EngineContext } from '../context/index.ts'
import { assertRunning } from '../context/index.ts'

export interface ProjectedOptions {
  /**
   * The projections to wait for, with all topics that they read. Default: every projection of the app
   * that reads the topic to which the command's contract publishes.
   */
  readonly of?: Projection | readonly Projection[]
  readonly signal?: AbortSignal
}

/** The operation of a command whose unit has committed. */
interface Committed {
  readonly id: string
  readonly command: CommandType
  readonly row: OperationRow
}

/** The first delay between two checks; each delay is twice the previous one … */
const LOOK_MS = 5
/** … up to this maximum. */
const LOOK_MS_MAX = 100

/**
 * Waits until projections have folded everything that was in their topics at the time of the call,
 * and hold no message of the operation under the keys of its command and its events. Checks at least
 * once.
 *
 * @throws Fault `NOT_PROJECTED` once the signal aborts, with an issue for each projection that is
 * behind; `PROJECTION_NOT_FOUND` for a projection that this app does not run; `APP_STOPPING`
 */
export async function waitForProjections(
  engine: EngineContext,
  committed: Committed,
  { of, signal }: ProjectedOptions,
): Promise<void> {
  const { backend, clock, stopped } = engine
  const { id, command } = committed
  const consumers = consumersOf(engine, command, of)
  if (consumers.length === 0) return
  const topics = topicsOf(engine, consumers)
  // Read after the commit of the unit, so that its records are before these ends.
  const ends = await backend.log.ends([...new Set([...topics.values()].flat())])
  const either = signal ? AbortSignal.any([stopped, signal]) : stopped
  for (let lookMs = LOOK_MS; ; lookMs = Math.min(2 * lookMs, LOOK_MS_MAX)) {
    assertRunning(stopped, { id })
    const behind = await behindIn(engine, topics, ends)
    const held = behind.length === 0 ? await heldOf(engine, committed, consumers) : []
    if (behind.length === 0 && held.length === 0) return
    if (signal?.aborted)
      throw notProjected(committed, projectionIssues(engine, behind, held), signal)
    await sleep(clock, lookMs, either)
  }
}

/** The fault of a wait that was aborted. */
export function notProjected(
  { id, command }: Pick<Committed, 'id' | 'command'>,
  issues: readonly Issue[],
  signal: AbortSignal,
): Fault {
  const detail = `${command.wire} ${id}`
  return new Fault('NOT_PROJECTED', {
    detail,
    issues,
    ids: { id },
    cause: signal.reason,
  })
}

function consumersOf(
  { plan }: EngineContext,
  command: CommandType,
  of: ProjectedOptions['of'],
): readonly Consumer[] {
  const all = plan.services.flatMap(({ projections }) => projections)
  if (of === undefined) {
    const topic = eventsTopic(command.contract)
    return all
      .filter(({ subscriptions }) => subscriptions.has(topic))
      .map(({ consumer }) => consumer)
  }
  return [of].flat().map((projection) => {
    const found = all.find(({ consumer }) => consumer.rule === projection)
    if (found) return found.consumer
    const known = all.map(({ consumer }) => consumer.name).join(', ') || 'none'
    const detail = `${projection.name} belongs to no service of this app, which has: ${known}`
    throw new Fault('PROJECTION_NOT_FOUND', { detail })
  })
}

type Topics = ReadonlyMap<Consumer, readonly string[]>

function topicsOf({ plan }: EngineContext, consumers: readonly Consumer[]): Topics {
  const all = plan.services.flatMap(({ projections }) => projections)
  return new Map(
    all
      .filter(({ consumer }) => consumers.includes(consumer))
      .map(({ consumer, subscriptions }) => [consumer, [...subscriptions.keys()]]),
  )
}

/** A projection that has records to read, or rows that are being rebuilt. */
interface Behind {
  readonly consumer: Consumer
  readonly lag: number
  readonly isStale: boolean
}

async function behindIn(
  { backend: { store }, plan }: EngineContext,
  topics: Topics,
  ends: readonly LogEnd[],
): Promise<readonly Behind[]> {
  const stale = new Set(await findStaleProjections(store, plan.services))
  const progress = await store.progress([...topics.keys()].map(({ id }) => id))
  const reached = new Map(progress.map((each) => [progressId(each), each.next]))
  return [...topics].flatMap(([consumer, reads]): readonly Behind[] => {
    const lag = ends
      .filter(({ topic }) => reads.includes(topic))
      .map((end) => {
        const read = reached.get(progressId({ ...end, consumer: consumer.id })) ?? 0
        return Math.max(0, end.next - Math.max(end.first, read))
      })
      .reduce((sum, each) => sum + each, 0)
    // The rows of a projection that is being rebuilt do not tell how far they are.
    const isStale = stale.has(consumer.name)
    return lag > 0 || isStale ? [{ consumer, lag, isStale }] : []
  })
}

/** The keys under which projections hold messages of the operation's conversation. */
async function heldOf(
  engine: EngineContext,
  { id, command, row }: Committed,
  consumers: readonly Consumer[],
): Promise<readonly HeldKey[]> {
  const { store, log } = engine.backend
  const rules = findRules(engine, (rule) => consumers.some((consumer) => consumer.id === rule.id))
  const holding = []
  for (const rule of rules) {
    const { holds: table } = serviceTables(rule.service)
    const where = { index: 'consumer', equals: rule.id }
    if ((await store.scan({ table, where, limit: 1 })).length > 0) holding.push(rule)
  }
  // Usually no key is held, so the look-ups below are not needed.
  if (holding.length === 0) return []
  const events = row.is === 'accepted' ? row.events : []
  let keys: Set<string> | undefined = new Set<string>()
  for (const place of [{ topic: commandsTopic(command.contract), id }, ...events]) {
    const record = await log.find?.(place.topic, place.id)
    // Without the record, such as after retention, its key is unknown.
    if (record) keys?.add(record.key)
    else keys = undefined
  }
  const isOurs = (record: LogRecord): boolean => {
    const { correlation, origin } = decodeEnvelope(record)
    return correlation === id && origin === row.origin
  }
  return heldUnder(engine, holding, keys && [...keys], isOurs)
}

function projectionIssues(
  { pauses }: EngineContext,
  behind: readonly Behind[],
  held: readonly HeldKey[],
): readonly Issue[] {
  const isPaused = ({ name }: Consumer): boolean => pauses.isPaused(name.split('/')[0] ?? '')
  return [
    ...behind.map(({ consumer, lag, isStale }) => {
      const facts = [
        ...(lag > 0 ? [`has ${lag} to read`] : []),
        ...(isStale ? ['its rows are being rebuilt'] : []),
        ...(isPaused(consumer) ? ['its service is paused'] : []),
      ]
      return { path: consumer.name, message: facts.join(', and ') }
    }),
    ...held.map(({ consumer, key, event, error }) => {
      const why = error ? `: ${error.message}` : ''
      return { path: consumer, message: `holds ${key} behind ${event.type} ${event.id}${why}` }
    }),
  ]
}
