import { sleep } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { findStaleProjections } from '../projections/index.ts'
import { heldKeys, isSaga, findRules } from '../listing/index.ts'
import type { UnsettledWork, ListSource } from '../listing/index.ts'
import { readConsumerStatus } from './consumer-status.ts'
import type { EngineContext } from '../context/index.ts'
import { INSTANT_MAX } from '../delays/index.ts'

/** A system with its plan. */
type SettledSource = ListSource & Pick<EngineContext, 'plan'>

/** Named instances per saga, and held keys per consumer. */
const NAMED_MAX = 10
const KEYS_MAX = 3
const SETTLED_POLL_MS = 50

/**
 * Whether all accepted work is done: nothing unread, nothing held, no open saga, no projection to
 * rebuild. Progress is read before the ends, so events appended in between count as unread.
 */
export async function isSettled(engine: SettledSource): Promise<boolean> {
  const { done = false } = await findUnsettled(engine).next()
  return done
}

/**
 * Polls until everything is settled.
 *
 * @throws Fault `NOT_SETTLED` once the signal aborts, `APP_STOPPING` once the engine has ended
 */
export async function waitUntilSettled(
  engine: SettledSource,
  signal: AbortSignal | undefined,
): Promise<void> {
  while (!signal?.aborted) {
    if (await isSettled(engine)) return
    await sleep(engine.clock, SETTLED_POLL_MS, signal)
  }
  const left = await readUnsettled(engine)
  if (left.length === 0) return
  throw new Fault('NOT_SETTLED', {
    detail: left.length === 1 ? 'one thing is not done' : `${left.length} things are not done`,
    issues: left.map((each) => ({ path: each.kind, message: unsettledText(each) })),
    cause: signal?.reason,
  })
}

/** Unsettled work, each with the first few messages that wait there. */
export async function readUnsettled(engine: SettledSource): Promise<readonly UnsettledWork[]> {
  const found: UnsettledWork[] = []
  for await (const each of findUnsettled(engine))
    if (each.kind !== 'consumer' || each.pending === 0) found.push(each)
    else {
      const { items: held } = await heldKeys(engine, { consumer: each.consumer, limit: KEYS_MAX })
      found.push({ ...each, held })
    }
  return found
}

/** A generator, so that callers can stop at the first result. */
async function* findUnsettled(engine: SettledSource): AsyncGenerator<UnsettledWork, void> {
  const { store } = engine.backend
  for (const { consumer, lag, pending } of await readConsumerStatus(engine))
    if (lag > 0 || pending > 0) yield { kind: 'consumer', consumer, lag, pending, held: [] }
  const where = { index: 'open', upTo: INSTANT_MAX }
  for (const { name: saga, table } of findRules(engine, isSaga)) {
    const rows = await store.scan({ table, where, limit: NAMED_MAX })
    for (const { key } of rows) yield { kind: 'saga', saga, instance: key }
  }
  for (const projection of await findStaleProjections(store, engine.plan.services))
    yield { kind: 'rebuild', projection }
}

/** Describes unsettled work in a sentence. */
export function unsettledText(each: UnsettledWork): string {
  if (each.kind === 'saga') return `${each.saga} ${each.instance} has not finished`
  if (each.kind === 'rebuild') return `${each.projection} has to be rebuilt`
  const { consumer, lag, pending, held } = each
  const keys = held.map(({ key, event, error }) => {
    const why = error ? `: ${error.message}` : ''
    return `\n    ${key} behind ${event.type} ${event.id}${why}`
  })
  return `${consumer} has ${lag} unread and ${pending} held${keys.join('')}`
}
