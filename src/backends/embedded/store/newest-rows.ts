import { compareText } from '../../../base/text/compare-text.ts'

/** Records that are looked at together. */
const RECORDS_PER_STEP = 200

/** Records that one call looks at. */
const EXAMINED_MAX = 10_000

/** A place in the order of rows: by position from the newest, then by name. */
interface RowPlace {
  readonly position: number
  readonly name: string
}

export interface NewestRow<T> extends RowPlace {
  readonly row: T
}

/** A list of rows about records. */
interface RowList<T> {
  readonly limit: number
  /** The last row of the previous page. */
  readonly after: RowPlace | undefined
  /** The newest positions up to one that may have rows, from the newest. */
  positions(to: number, count: number): readonly number[]
  /** The rows at these positions that the list selects, in their order. */
  rowsAt(positions: readonly number[]): readonly NewestRow<T>[]
}

/** Reads a page of rows in steps, each over some records. A call that finds few rows ends early. */
export function readNewest<T>({
  limit,
  after = { position: Number.MAX_SAFE_INTEGER, name: '' },
  positions,
  rowsAt,
}: RowList<T>): { readonly rows: readonly T[]; readonly next?: RowPlace } {
  const rows: NewestRow<T>[] = []
  let to = after.position
  for (let examined = 0; examined < EXAMINED_MAX; examined += RECORDS_PER_STEP) {
    const found = positions(to, RECORDS_PER_STEP)
    if (found.length > 0) rows.push(...rowsAt(found).filter((each) => isBehind(each, after)))
    const isOver = found.length < RECORDS_PER_STEP
    if (isOver || rows.length > limit) return page(rows, limit)
    to = (found.at(-1) as number) - 1
  }
  return page(rows, limit, { position: to, name: '' })
}

function isBehind({ position, name }: RowPlace, after: RowPlace): boolean {
  if (position !== after.position) return position < after.position
  return compareText(name, after.name) > 0
}

/** A page of rows. If they fit, the next one begins at `end`. */
function page<T>(
  found: readonly NewestRow<T>[],
  limit: number,
  end?: RowPlace,
): { readonly rows: readonly T[]; readonly next?: RowPlace } {
  const rows = found.slice(0, limit).map(({ row }) => row)
  const last = found.length > limit ? found[limit - 1] : undefined
  const next = last ? { position: last.position, name: last.name } : end
  return next ? { rows, next } : { rows }
}
