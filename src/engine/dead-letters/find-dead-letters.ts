import type { LogRecord } from '../../ports/event-log.ts'
import type { EventStore, Row } from '../../ports/event-store.ts'
import type { EventStatus, Status } from '../../ports/status.ts'
import type { HoldRow } from '../failure/index.ts'
import { holdStatus, placeHoldKey } from '../failure/index.ts'
import type { ListSource } from '../listing/index.ts'
import { findRules } from '../listing/index.ts'
import type { ListedRule } from '../listing/index.ts'
import { serviceTables } from '../plan/index.ts'
import type { DeadLetterFilter } from './dead-letter-types.ts'

/** A failed message, as its status tells, and the consumer where it failed. */
export interface FoundLetter {
  readonly status: EventStatus
  readonly rule: ListedRule
}

const PAGE = 1_000

/**
 * The statuses of failed messages that nobody has resolved, by consumer and place. `after` is the last
 * one of an earlier page.
 *
 * @throws Fault `RULE_NOT_FOUND`
 */
export async function* findDeadLetters(
  source: ListSource,
  filter: DeadLetterFilter,
  after?: EventStatus | Pick<EventStatus, 'consumer' | 'topic' | 'partition' | 'offset'>,
  wanted: Status = 'FAILED',
): AsyncGenerator<FoundLetter> {
  const rules = findRules(source, undefined, filter.consumer)
  const first = after ? rules.findIndex(({ id }) => id === after.consumer) : 0
  for (const [at, rule] of rules.entries()) {
    if (at < first) continue
    let last = after?.consumer === rule.id ? after : undefined
    for (;;) {
      const query = { consumer: rule.id, status: wanted, limit: PAGE }
      const eventId = filter.id === undefined ? {} : { eventId: filter.id }
      const from = last ? { after: last } : {}
      const page = await source.backend.store.statuses({ ...query, ...eventId, ...from })
      for (const status of page) if (isWanted(filter, status)) yield { status, rule }
      last = page.at(-1)
      if (page.length < PAGE) break
    }
  }
}

function isWanted(
  { key, type, cause, since, until }: DeadLetterFilter,
  status: EventStatus,
): boolean {
  if (status.resolution !== null) return false
  if (key !== undefined && status.key !== key) return false
  if (type !== undefined && status.type !== type) return false
  if (cause !== undefined && status.cause !== cause) return false
  if (since !== undefined && status.updatedAt < since) return false
  return until === undefined || status.updatedAt < until
}

/** The hold of a failed message, with the message itself. */
export interface LetterHold {
  readonly holdKey: string
  readonly hold: HoldRow
  /** The key of its row. */
  readonly front: string
  readonly record: LogRecord
}

/** The holds of failed messages; `undefined` where one has been resolved meanwhile. */
export async function holdsOfLetters(
  { backend: { store } }: Pick<ListSource, 'backend'>,
  letters: readonly FoundLetter[],
): Promise<readonly (LetterHold | undefined)[]> {
  const keys = letters.flatMap(({ status, rule }) => {
    const table = serviceTables(rule.service).holds
    const place = placeHoldKey({ id: rule.id }, status)
    return [place, `${rule.id}:${status.key}`].map((key) => ({ table, key }))
  })
  const rows = await store.get(keys)
  return Promise.all(
    letters.map(async (letter, at) => {
      for (const row of rows.slice(2 * at, 2 * at + 2)) {
        const found = row && (await letterIn(store, letter, row))
        if (found) return found
      }
      return undefined
    }),
  )
}

/** The letter in front of a hold, if it is this one. */
async function letterIn(
  store: EventStore,
  { status, rule }: FoundLetter,
  { key: holdKey, body }: Row,
): Promise<LetterHold | undefined> {
  const hold = JSON.parse(body) as HoldRow
  if (holdStatus(hold) !== status.status) return undefined
  const { held: table } = serviceTables(rule.service)
  const where = { index: 'hold', equals: holdKey }
  const [front] = await store.scan({ table, where, limit: 1 })
  if (!front) return undefined
  const record = JSON.parse(front.body) as LogRecord
  const { topic, partition, offset } = record
  const isIt = topic === status.topic && partition === status.partition && offset === status.offset
  return isIt ? { holdKey, hold, front: front.key, record } : undefined
}
