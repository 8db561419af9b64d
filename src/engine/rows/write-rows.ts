// Units that change only rows.
import { sleep } from '../../base/time/clock.ts'
import type { Clock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { EventStore, Row, RowKey, RowWrite } from '../../ports/event-store.ts'

/**
 * The next version of a row, written only over the version that was read; otherwise the unit
 * conflicts. A body of `null` deletes the row.
 */
export function rowWrite<B extends string | null>(
  { table, key }: RowKey,
  before: Pick<Row, 'version'> | undefined,
  body: B,
  index?: RowWrite['index'],
): RowWrite & { readonly body: B } {
  const expected = before?.version ?? 0
  const version = body === null ? 0 : expected + 1
  return { table, key, expected, version, body, ...(index && { index }) }
}

/**
 * Commits rows in one unit. `conflict`: another instance has changed one of them.
 *
 * @throws Fault `STORE_UNKNOWN` with `detail`
 */
export async function writeRows(
  store: Pick<EventStore, 'commit'>,
  detail: string,
  rows: readonly RowWrite[],
): Promise<'done' | 'fenced' | 'conflict'> {
  const answer = await store.commit({ ...EMPTY_UNIT, rows })
  if (answer.status !== 'unknown') return answer.status
  throw new Fault('STORE_UNKNOWN', { detail, cause: answer.cause })
}

const ATTEMPTS = 20

type MaybePromise<T> = T | Promise<T>

/**
 * Reads a row and writes what `next` returns for it; tries again after a conflict or an unknown
 * answer. `next` returns a body, `null` to delete the row, or `undefined` to leave it unchanged.
 *
 * @throws Fault `STORE_UNKNOWN` with `detail` after 20 attempts
 */
export async function updateRow(
  { store, clock, retryDelayMs }: { store: EventStore; clock: Clock; retryDelayMs: number },
  key: RowKey,
  detail: string,
  next: (row: Row | undefined) => MaybePromise<string | null | undefined>,
): Promise<void> {
  let cause: unknown
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const [row] = await store.get([key])
    const body = await next(row)
    if (body === undefined || (body === null && !row)) return
    const answer = await store.commit({ ...EMPTY_UNIT, rows: [rowWrite(key, row, body)] })
    if (answer.status === 'done') return
    cause = answer.status === 'unknown' ? answer.cause : answer.status
    if (answer.status === 'unknown') await sleep(clock, retryDelayMs)
  }
  throw new Fault('STORE_UNKNOWN', { detail, cause })
}
