import type { LogEvent } from './event-log.ts'
import type { IndexValue, TableSpec, Unit } from './event-store.ts'
import type { LedgerSubscription } from './status.ts'

/**
 * Whether every database returns a text unchanged: a lone surrogate has no UTF-8 and would come back
 * as U+FFFD, and PostgreSQL does not accept NUL. Names, keys, ids and JSON texts must have neither;
 * only an index value may be any text.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** The first text of an event that cannot be stored unchanged, if any. */
export function unstorableField({ id, key, type, head, data }: LogEvent): string | undefined {
  if (!isStorable(id)) return 'id'
  if (!isStorable(key)) return 'key'
  if (!isStorable(type)) return 'type'
  if (!isStorable(head)) return 'head'
  return data === null || isStorable(data) ? undefined : 'data'
}

/**
 * Finds bugs of callers: the engine uses no such names, and JSON can escape every character.
 *
 * @throws Error where a text of the unit cannot be stored; nothing has changed then
 */
export function assertStorableUnit({ rows, progress, appends, statuses }: Unit): void {
  for (const { table, key, body, index } of rows) {
    assertStorable(key, `a key of ${table}`)
    if (body !== null) assertStorable(body, `a row of ${table}`)
    for (const name in index) assertIndexValue(index[name], `${name} of ${table} ${key}`)
  }
  for (const { consumer, range } of progress) {
    assertStorable(consumer, 'the name of a consumer')
    if (range) assertStorable(range.by, `who made progress for ${consumer}`)
  }
  for (const status of statuses)
    for (const [name, text] of Object.entries(status))
      if (typeof text === 'string') assertStorable(text, `${name} of a status`)
  for (const event of appends) {
    const field = unstorableField(event)
    if (field !== undefined) throw unstorableError(`the ${field} of an event for ${event.topic}`)
  }
}

/** @throws Error */
export function assertStorableTable({ name, indexes }: TableSpec): void {
  for (const each of [name, ...indexes]) assertStorable(each, `a name of the table ${name}`)
}

/** @throws Error */
export function assertStorableLedger(
  service: string,
  subscriptions: readonly LedgerSubscription[],
): void {
  assertStorable(service, 'the name of a service')
  for (const { consumer, service: name, topic, type } of subscriptions)
    for (const text of [consumer, name, topic, type])
      assertStorable(text, `a name of the ledger of ${service}`)
}

/** @throws Error */
export function assertStorableLeases(member: string, wants: readonly string[]): void {
  assertStorable(member, 'the id of a member')
  for (const resource of wants) assertStorable(resource, 'the name of a resource')
}

/** @throws Error */
export function assertStorable(text: string, what: string): void {
  if (!isStorable(text)) throw unstorableError(what)
}

function assertIndexValue(value: unknown, what: string): void {
  if (value === null || value === undefined) return
  if (typeof value === 'string' || typeof value === 'number') return
  throw new Error(`the index ${what} has a value that is neither text nor a number`)
}

function unstorableError(what: string): Error {
  return new Error(`${what.toWellFormed()} contains a lone surrogate or a NUL and cannot be stored`)
}

/**
 * Converts a member of a row to an index value: text and finite numbers, with -0 as 0. Anything else
 * is not indexed.
 */
export function indexValueOf(member: unknown): IndexValue {
  if (typeof member === 'string') return member
  return typeof member === 'number' && Number.isFinite(member) ? member + 0 : null
}
