import type { EventStore, Scan, ScannedRow } from '../../ports/event-store.ts'

/** What a scan finds, in pages of its `limit`. Rows may be removed between two pages. */
export async function* scanPages(
  store: Pick<EventStore, 'scan'>,
  scan: Scan,
): AsyncGenerator<readonly ScannedRow[]> {
  let { after } = scan
  do {
    const rows = await store.scan({ ...scan, ...(after ? { after } : {}) })
    yield rows
    const last = rows.length === scan.limit ? rows.at(-1) : undefined
    after = last && { key: last.key, ...(last.value === undefined ? {} : { value: last.value }) }
  } while (after)
}
