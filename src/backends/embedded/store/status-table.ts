import type { SQLInputValue } from 'node:sqlite'
import type { InspectedRows } from '../../../ports/event-store.ts'
import type { ConsumedEvent, EventStatus, Status } from '../../../ports/status.ts'
import type { StatusChange, StatusQuery } from '../../../ports/status.ts'
import {
  assertStatusChange,
  compareConsumedEvents,
  isCurrentStatus,
} from '../../../ports/status.ts'
import { NO_SENTINEL, damagedTableFault, rowChecksum, withDamageFault } from '../sql/index.ts'
import type { Columns, Statements } from '../sql/index.ts'

/** The statuses of events that differ from what the progress of their consumers says. */
export interface StatusTable {
  /** Whether any change begins at a status that is not the stored one. */
  isAnyStale(changes: readonly StatusChange[]): boolean
  /** @throws Fault `STATUS_REFUSED` */
  assertAllowed(changes: readonly StatusChange[]): void
  write(changes: readonly StatusChange[]): void
  read(query: StatusQuery): readonly EventStatus[]
  find(event: ConsumedEvent): EventStatus | undefined
  /** Drops the statuses of a consumer and gives it those of another one. */
  replace(consumer: string, by: string): void
  /** Removes up to `max` completed and discarded statuses, the oldest first. Returns how many. */
  prune(before: number, max: number): number
  inspect(after: string | undefined, max: number): InspectedRows
}

const EVENT = 'consumer = ? AND topic = ? AND part = ? AND off = ?'
const COLUMNS = `consumer, topic, part, off, id, key, type, status, attempts, due, code, error,
  cause, resolution, detail, updated_by, updated, position, sum`
const WIDTH = 19
/** The members of a status, in the order of the columns. */
const FIELDS = [
  'consumer',
  'topic',
  'partition',
  'offset',
  'eventId',
  'key',
  'type',
  'status',
  'attempts',
  'dueAt',
  'code',
  'error',
  'cause',
  'resolution',
  'detail',
  'updatedBy',
  'updatedAt',
] as const satisfies readonly (keyof EventStatus)[]
const SELECT = `SELECT ${COLUMNS} FROM status`
const SELECT_STATUS = `SELECT status, resolution FROM status WHERE ${EVENT}`
const SELECT_POSITION = `SELECT position FROM log
  WHERE topic = (SELECT id FROM topic WHERE name = ?) AND part = ? AND off = ?`
const UPSERT_TAIL = `ON CONFLICT (consumer, topic, part, off) DO UPDATE SET id = excluded.id,
  key = excluded.key, type = excluded.type, status = excluded.status,
  attempts = excluded.attempts, due = excluded.due, code = excluded.code, error = excluded.error,
  cause = excluded.cause, resolution = excluded.resolution, detail = excluded.detail,
  updated_by = excluded.updated_by, updated = excluded.updated, position = excluded.position,
  sum = excluded.sum`
const SETTLED = `(status = 'COMPLETED' OR resolution IS NOT NULL) AND updated < ?`
const ORDER = 'ORDER BY consumer, topic, part, off LIMIT ?'

export function createStatusTable(sql: Statements): StatusTable {
  const rows = (where: string, ...values: SQLInputValue[]): readonly EventStatus[] =>
    withDamageFault('the table status', () => sql.all(`${SELECT} WHERE ${where}`, ...values)).map(
      statusOf,
    )
  const placed = (status: EventStatus): readonly SQLInputValue[] => {
    const { topic, partition, offset } = status
    const position = (sql.get(SELECT_POSITION, topic, partition, offset)?.[0] ?? 0) as number
    const values = [...valuesOf(status), position]
    return [...values, rowChecksum(values)]
  }
  return {
    isAnyStale: (changes) =>
      changes.some((change) => {
        const row = sql.get(SELECT_STATUS, ...keyOf(change))
        const [status, resolution] = (row ?? []) as [Status, EventStatus['resolution']]
        return !isCurrentStatus(row && { status, resolution }, change.from)
      }),
    assertAllowed(changes) {
      for (const { from, status, eventId, consumer } of changes)
        assertStatusChange(from, status, { eventId, consumer })
    },
    write(changes) {
      if (changes.length === 0) return
      sql.insert(`INSERT INTO status (${COLUMNS})`, UPSERT_TAIL, WIDTH, changes.flatMap(placed))
    },
    read: (query) =>
      selections(query)
        .flatMap(({ where, values }) => rows(`${where} ${ORDER}`, ...values, query.limit))
        .toSorted(compareConsumedEvents)
        .slice(0, query.limit),
    find: (event) => rows(EVENT, ...keyOf(event))[0],
    replace(consumer, by) {
      sql.run('DELETE FROM status WHERE consumer = ?', consumer)
      for (const row of sql.all(`${SELECT} WHERE consumer = ?`, by)) {
        statusOf(row)
        const values = [consumer, ...(row.slice(1, -1) as (string | number | null)[])]
        const key = [by, ...values.slice(1, 4)]
        const update = `UPDATE status SET consumer = ?, sum = ? WHERE ${EVENT}`
        sql.run(update, consumer, rowChecksum(values), ...key)
      }
    },
    prune(before, max) {
      const select = `SELECT consumer, topic, part, off FROM status
        WHERE ${SETTLED} AND ${NO_SENTINEL} ORDER BY updated LIMIT ?`
      const old = sql.all(select, before, max) as unknown as SQLInputValue[][]
      for (const key of old) sql.run(`DELETE FROM status WHERE ${EVENT}`, ...key)
      return old.length
    },
    inspect: (after, max) => inspect(sql, after, max),
  }
}

interface Selection {
  readonly where: string
  readonly values: readonly SQLInputValue[]
}

/**
 * Each selection reads one index in the order of the statuses. Failed events are in two: those that
 * were given up are apart from the open ones.
 */
function selections({ consumer, status, eventId, after }: StatusQuery): readonly Selection[] {
  const conditions = [NO_SENTINEL]
  const values: SQLInputValue[] = []
  const add = (condition: string, ...bound: SQLInputValue[]): void => {
    conditions.push(condition)
    values.push(...bound)
  }
  if (consumer !== undefined) add('consumer = ?', consumer)
  if (eventId !== undefined) add('id = ?', eventId)
  if (after) add('(consumer, topic, part, off) > (?, ?, ?, ?)', ...keyOf(after))
  return partsOf(status).map((part) => {
    return { where: [...conditions, ...part].join(' AND '), values }
  })
}

const IS_OPEN = "status <> 'COMPLETED' AND resolution IS NULL"

/** The conditions of the indexes in which a status is found. The status is one of our own words. */
function partsOf(status: Status | undefined): readonly (readonly string[])[] {
  if (status === undefined) return [[]]
  const is = `status = '${status}'`
  if (status === 'COMPLETED') return [[is]]
  return [
    [is, IS_OPEN],
    [is, 'resolution IS NOT NULL'],
  ]
}

/** @throws Fault `DATA_DAMAGED` */
function statusOf(row: Columns): EventStatus {
  if (!isIntact(row)) throw damagedTableFault('status', row.slice(0, 4).join('/'))
  return decode(row)
}

const isIntact = (row: Columns): boolean =>
  rowChecksum(row.slice(0, -1) as (string | number | null)[]) === row[WIDTH - 1]

function decode(row: Columns): EventStatus {
  return Object.fromEntries(FIELDS.map((name, at) => [name, row[at]])) as unknown as EventStatus
}

function keyOf({ consumer, topic, partition, offset }: ConsumedEvent): SQLInputValue[] {
  return [consumer, topic, partition, offset]
}

/** The values of a row without position and checksum. */
const valuesOf = (status: EventStatus): (string | number | null)[] =>
  FIELDS.map((name) => status[name])

/** The key of a row as one text: the JSON of its values. */
function inspect(sql: Statements, after: string | undefined, max: number): InspectedRows {
  const from = JSON.parse(after ?? '["", "", 0, 0]') as SQLInputValue[]
  const select = `${SELECT} WHERE (consumer, topic, part, off) > (?, ?, ?, ?) ${ORDER}`
  const rows = withDamageFault('the table status', () => sql.all(select, ...from, max))
  const damaged = rows
    .filter((row) => !isIntact(row))
    .map((row) => ({ key: JSON.stringify(row.slice(0, 4)), message: 'is not what was written' }))
  const last = rows.length === max ? { after: JSON.stringify(rows.at(-1)?.slice(0, 4)) } : {}
  return { rows: rows.length, damaged, ...last }
}
