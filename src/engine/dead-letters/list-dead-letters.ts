import type { EventStatus } from '../../ports/status.ts'
import type { EditRow } from '../failure/index.ts'
import { editKey, holdError, normalizedMessage } from '../failure/index.ts'
import type { ErrorView, ListPage, ListSource } from '../listing/index.ts'
import { listOptionFault, toWallTime, validateLimit } from '../listing/index.ts'
import type {
  DeadLetterCause,
  DeadLetterEntry,
  DeadLetterFilter,
  DeadLettersOptions,
} from './dead-letter-types.ts'
import type { FoundLetter, LetterHold } from './find-dead-letters.ts'
import { findDeadLetters, holdsOfLetters } from './find-dead-letters.ts'

/**
 * The dead letters, ordered by consumer, topic, partition and offset.
 *
 * @throws Fault `OPTION_INVALID`, `RULE_NOT_FOUND`
 */
export async function listDeadLetters(
  source: ListSource,
  { limit: wanted, after, ...filter }: DeadLettersOptions = {},
): Promise<ListPage<DeadLetterEntry>> {
  const limit = validateLimit(wanted)
  const found: FoundLetter[] = []
  let isMore = false
  for await (const letter of findDeadLetters(source, filter, parsePlace(after))) {
    isMore = found.length === limit
    if (isMore) break
    found.push(letter)
  }
  const holds = await holdsOfLetters(source, found)
  const edits = await editsOf(source, found)
  const items = found.map((letter, at) => entryOf(source, letter, holds[at], edits[at]))
  const last = found.at(-1)
  return { items, ...(isMore && last ? { next: placeText(last.status) } : {}) }
}

async function editsOf(
  { backend: { store } }: ListSource,
  letters: readonly FoundLetter[],
): Promise<readonly (EditRow | undefined)[]> {
  const rows = await store.get(
    letters.map(({ rule, status }) => editKey(rule.service, rule.id, status)),
  )
  return rows.map((row) => row && (JSON.parse(row.body) as EditRow))
}

function entryOf(
  source: ListSource,
  { rule, status }: FoundLetter,
  held: LetterHold | undefined,
  edit: EditRow | undefined,
): DeadLetterEntry {
  const { eventId: id, type, topic, partition, offset, key, attempts, updatedAt, cause } = status
  const redriveAt = held?.hold.dead?.redriveAt
  return {
    consumer: rule.name,
    key,
    event: { id, type, topic, partition, offset, at: held?.record.at ?? updatedAt },
    attempts,
    failedAt: updatedAt,
    error: errorOf(status, held),
    cause: cause ?? '',
    heldBehind: Math.max(0, (held?.hold.count ?? 1) - 1),
    isSkipped: held?.hold.isAside ?? false,
    data: edit?.json ?? held?.record.data ?? null,
    ...(redriveAt === undefined ? {} : { redriveAt: toWallTime(source, redriveAt) }),
    ...(edit ? { edit: { by: edit.by, reason: edit.reason, at: edit.at } } : {}),
  }
}

function errorOf({ error, code }: EventStatus, held: LetterHold | undefined): ErrorView {
  const kept = held && holdError(held.hold)
  if (kept) return kept
  return { message: error ?? 'no error is known', ...(code === null ? {} : { code }) }
}

/** `CONSUMER TOPIC/PARTITION@OFFSET`. */
const placeText = ({ consumer, topic, partition, offset }: EventStatus): string =>
  `${consumer} ${topic}/${partition}@${offset}`

function parsePlace(
  after: string | undefined,
): Pick<EventStatus, 'consumer' | 'topic' | 'partition' | 'offset'> | undefined {
  if (after === undefined) return undefined
  const [, consumer, topic, partition, offset] =
    /^(\S+) (\S+)\/(\d{1,9})@(\d{1,16})$/.exec(after) ?? []
  if (consumer === undefined || topic === undefined)
    throw listOptionFault('after', 'must be the next of an earlier page')
  return { consumer, topic, partition: Number(partition), offset: Number(offset) }
}

/** Causes that one call tells apart; further ones are left out. */
const CAUSES_MAX = 1_000

/**
 * Dead letters by consumer and cause, the most frequent first: the same code, the same text but for
 * ids and numbers, thrown in the same function. At most 1,000 of them.
 *
 * @throws Fault `RULE_NOT_FOUND`
 */
export async function deadLetterCauses(
  source: ListSource,
  filter: DeadLetterFilter = {},
): Promise<readonly DeadLetterCause[]> {
  const groups = new Map<string, DeadLetterCause>()
  for await (const { rule, status } of findDeadLetters(source, filter)) {
    const id = `${rule.id} ${status.cause ?? ''}`
    const group = groups.get(id)
    if (group) groups.set(id, withLetter(group, status))
    else if (groups.size < CAUSES_MAX) groups.set(id, causeOfOne(rule.name, status))
  }
  return [...groups.values()].toSorted((a, b) => b.count - a.count || b.lastAt - a.lastAt)
}

function causeOfOne(consumer: string, status: EventStatus): DeadLetterCause {
  const { cause, type, code, error, updatedAt, eventId } = status
  return {
    cause: cause ?? '',
    consumer,
    types: [type],
    ...(code === null ? {} : { code }),
    message: normalizedMessage(error ?? ''),
    count: 1,
    firstAt: updatedAt,
    lastAt: updatedAt,
    example: eventId,
  }
}

function withLetter(group: DeadLetterCause, { type, updatedAt }: EventStatus): DeadLetterCause {
  const { types, count, firstAt, lastAt } = group
  return {
    ...group,
    types: types.includes(type) ? types : [...types, type].toSorted(),
    count: count + 1,
    firstAt: Math.min(firstAt, updatedAt),
    lastAt: Math.max(lastAt, updatedAt),
  }
}
