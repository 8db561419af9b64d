import { EMPTY_UNIT } from '../../ports/empty-unit.ts'
import type { EventStore, ScannedRow } from '../../ports/event-store.ts'
import { messagesIn } from './held-page.ts'
import type { HeldMessage, HoldRow } from './hold-row.ts'
import { placeHoldKey } from './hold-row.ts'
import type { ServiceTables } from '../plan/index.ts'
import { scanPages } from '../rows/index.ts'

/** Rows of held messages in memory at a time. */
const PAGE = 100

/** Held messages of one key whose hold row is lost. */
interface LostHold {
  readonly holdKey: string
  front: ScannedRow
  /** How many, in how many pages, and the number of the last one. */
  count: number
  pages: number
  last: number
}

/**
 * Restores the lost holds of a consumer. Without one, held messages would never be retried, and
 * later messages of their key would overtake them. Restored holds are due at once.
 */
export async function restoreLostHolds(
  store: EventStore,
  tables: ServiceTables,
  { id: consumer, isQueue }: { readonly id: string; readonly isQueue: boolean },
  { isKnown, now }: { readonly isKnown: (holdKey: string) => boolean; readonly now: number },
): Promise<readonly { readonly key: string; readonly hold: HoldRow }[]> {
  const made: { key: string; hold: HoldRow }[] = []
  for (const lost of await findLostHolds(store, tables, consumer, isKnown)) {
    const { holdKey, front, count, last, pages } = lost
    const since = Math.floor(now)
    const [record] = messagesIn(front) as [HeldMessage]
    const hold: HoldRow = {
      consumer,
      key: record.key,
      attempts: 0,
      ...(isQueue || holdKey !== placeHoldKey({ id: consumer }, record)
        ? {}
        : { isAside: true as const }),
      ...(await recordedStatus(store, consumer, front.key, record, since)),
      due: since,
      delayMs: 0,
      since,
      next: last + 1,
      count,
      ...(pages > 0 ? { pages } : {}),
    }
    const row = { table: tables.holds, key: holdKey }
    const index = { consumer }
    // Another instance may have restored it already, or handled its messages.
    await store.commit({
      ...EMPTY_UNIT,
      rows: [{ ...row, expected: 0, version: 1, body: JSON.stringify(hold), index }],
      checks: [{ table: front.table, key: front.key, expected: front.version }],
    })
    const [found] = await store.get([row])
    if (found) made.push({ key: holdKey, hold: JSON.parse(found.body) as HoldRow })
  }
  return made
}

/** What the store still knows of the status of a held message. */
export async function recordedStatus(
  store: EventStore,
  consumer: string,
  row: string,
  { id, topic, partition, offset }: HeldMessage,
  at: number,
): Promise<Pick<HoldRow, 'status' | 'isRecorded' | 'dead'>> {
  const after = { consumer, topic, partition, offset: offset - 1 }
  const [found] = await store.statuses({ consumer, after, limit: 1 })
  const isSame = found?.topic === topic && found.partition === partition && found.offset === offset
  if (!found || !isSame || found.status === 'COMPLETED') return {}
  const { status } = found
  // The code that it failed with is lost, so it counts as changed.
  const dead = status === 'FAILED' ? { dead: { id, row, at, code: '' } } : {}
  return { status, isRecorded: true, ...dead }
}

/** The held messages of a consumer whose holds are lost. */
async function findLostHolds(
  store: EventStore,
  { held, heldPages }: ServiceTables,
  consumer: string,
  isKnown: (holdKey: string) => boolean,
): Promise<Iterable<LostHold>> {
  const lost = new Map<string, LostHold>()
  for (const table of [held, heldPages])
    for await (const row of heldRows(store, table, consumer)) {
      const holdKey = String(row.value)
      if (isKnown(holdKey)) continue
      const found = lost.get(holdKey) ?? { holdKey, front: row, count: 0, pages: 0, last: 0 }
      lost.set(holdKey, found)
      if (row.key < found.front.key) found.front = row
      found.count += messagesIn(row).length
      if (table === heldPages) found.pages += 1
      // The messages of an unpacked page have its number, and one of their own behind it.
      found.last = Math.max(found.last, Math.floor(Number(row.key.slice(holdKey.length + 1))))
    }
  return lost.values()
}

async function* heldRows(
  store: EventStore,
  table: string,
  consumer: string,
): AsyncGenerator<ScannedRow> {
  const prefix = `${consumer}:`
  const scan = { table, where: { index: 'hold' }, after: { key: '', value: prefix }, limit: PAGE }
  for await (const page of scanPages(store, scan)) {
    const rows = page.filter(({ value }) => String(value).startsWith(prefix))
    yield* rows
    if (rows.length < page.length) return
  }
}
