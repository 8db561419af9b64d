import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { projectionsToMake } from './builds.ts'
import { heldKeys } from './held-keys.ts'
import type { Unsettled } from './listings.ts'
import { isSaga } from './open-sagas.ts'
import type { Listed } from './paging.ts'
import { EVER, rulesIn } from './paging.ts'
import { statusOf } from './status.ts'
import type { EngineTools } from './tools.ts'

/** A system with its plan. */
type Running = Listed & Pick<EngineTools, 'plan'>

/** Named instances per saga, and held keys per consumer. */
const NAMED_MAX = 10
const KEYS_MAX = 3
const SETTLE_LOOK_MS = 50

/**
 * Whether all accepted work is done: nothing unread, nothing held, no open saga, no projection to
 * rebuild. Progress is read before the ends, so events appended in between count as unread.
 */
export async function isSettled(engine: Running): Promise<boolean> {
  const { done = false } = await unsettledIn(engine).next()
  return done
}

/**
 * Polls until everything is settled.
 *
 * @throws Fault `NOT_SETTLED` once the signal aborts, `APP_STOPPING` once the engine has ended
 */
export async function settled(engine: Running, signal: AbortSignal | undefined): Promise<void> {
  while (!signal?.aborted) {
    if (await isSettled(engine)) return
    await pause(engine.clock, SETTLE_LOOK_MS, signal)
  }
  const left = await unsettledOf(engine)
  if (left.length === 0) return
  throw new Fault('NOT_SETTLED', {
    detail: left.length === 1 ? 'one thing is not done' : `${left.length} things are not done`,
    complaints: left.map((each) => ({ path: each.kind, message: unsettledText(each) })),
    cause: signal?.reason,
  })
}

/** Unsettled work, each with the first few messages that wait there. */
export async function unsettledOf(engine: Running): Promise<readonly Unsettled[]> {
  const found: Unsettled[] = []
  for await (const each of unsettledIn(engine))
    if (each.kind !== 'consumer' || each.pending === 0) found.push(each)
    else {
      const { items: held } = await heldKeys(engine, { consumer: each.consumer, limit: KEYS_MAX })
      found.push({ ...each, held })
    }
  return found
}

/** A generator, so that callers can stop at the first result. */
async function* unsettledIn(engine: Running): AsyncGenerator<Unsettled, void> {
  const { store } = engine.backend
  for (const { consumer, lag, pending } of await statusOf(engine))
    if (lag > 0 || pending > 0) yield { kind: 'consumer', consumer, lag, pending, held: [] }
  const where = { index: 'open', upTo: EVER }
  for (const { name: saga, table } of rulesIn(engine, isSaga)) {
    const rows = await store.scan({ table, where, limit: NAMED_MAX })
    for (const { key } of rows) yield { kind: 'saga', saga, instance: key }
  }
  for (const projection of await projectionsToMake(store, engine.plan.services))
    yield { kind: 'rebuild', projection }
}

/** Describes unsettled work in a sentence. */
export function unsettledText(each: Unsettled): string {
  if (each.kind === 'saga') return `${each.saga} ${each.instance} has not finished`
  if (each.kind === 'rebuild') return `${each.projection} has to be rebuilt`
  const { consumer, lag, pending, held } = each
  const keys = held.map(({ key, event, error }) => {
    const why = error ? `: ${error.message}` : ''
    return `\n    ${key} behind ${event.type} ${event.id}${why}`
  })
  return `${consumer} has ${lag} unread and ${pending} held${keys.join('')}`
}
