// The state that services keep while exchanges are open, as the view `working_data` of a database has it.
import { decodeEnvelope } from '../../contract/envelope.ts'
import type { ListPage, ListedRule } from '../../engine/listing/index.ts'
import { findRules, isSaga, openInstances, toWallTime } from '../../engine/listing/index.ts'
import { consumerName } from '../../engine/plan/index.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { LedgerCursor, LedgerRow } from '../../ports/ledger.ts'
import { isRepliesTopic, ledgerTime } from '../../ports/ledger.ts'
import type { System } from '../system.ts'
import { ledgerOf, parsePlace, placeText } from './ledger-store.ts'

/**
 * An open instance of a saga, a command from outside without a result, or a reply that its sender has not
 * read.
 */
export interface WorkingDataRow {
  readonly kind: 'saga' | 'operation' | 'reply'
  readonly service: string
  readonly key: string
  /** The id of the first message of the conversation. */
  readonly operation: string | null
  readonly since: string | null
  /** JSON text: the stored instance, or the data of the message. */
  readonly body: string | null
}

export interface WorkingDataQuery {
  readonly service?: string
  readonly key?: string
  readonly limit: number
  readonly after?: string
}

/**
 * Working data: open instances of sagas, the oldest first, and then operations and replies, the newest
 * first. A page looks at a limited number of rows, so it may be empty and have a `next`.
 *
 * @throws Fault `OPTION_INVALID`; `BACKEND_CANNOT` where the store has no ledger
 */
export async function listWorkingData(
  system: System,
  query: WorkingDataQuery,
): Promise<ListPage<WorkingDataRow>> {
  const { limit, after = SAGAS } = query
  const items: WorkingDataRow[] = []
  if (after.startsWith(SAGAS)) {
    const from = after === SAGAS ? undefined : after.slice(SAGAS.length)
    const sagas = findRules(system, isSaga)
    const { instances, next } = await openInstances(system, sagas, { limit, after: from })
    for (const { saga, key, row } of instances) {
      if (row.is === 'closed') continue
      const { operation, since } = row
      const at = since === undefined ? null : ledgerTime(toWallTime(system, since))
      const service = serviceOf(saga.name)
      items.push({ kind: 'saga', service, key, operation, since: at, body: JSON.stringify(row) })
    }
    if (next !== undefined) return { items: items.filter(isOf(query)), next: SAGAS + next }
    if (items.length >= limit) return { items: items.filter(isOf(query)), next: MESSAGES }
  }
  const messages = await openMessages(system, limit - items.length, messagesAfter(after))
  return { ...messages, items: [...items, ...messages.items].filter(isOf(query)) }
}

/** @throws Fault `OPTION_INVALID` */
function messagesAfter(after: string): LedgerCursor | undefined {
  if (after.startsWith(SAGAS) || after === MESSAGES) return undefined
  const isOfMessages = after.startsWith(MESSAGES)
  const { position, name } = parsePlace(isOfMessages ? after.slice(MESSAGES.length) : '')
  return { position, consumer: name }
}

/** The cursors of the two parts begin with these. */
const SAGAS = 'sagas:'
const MESSAGES = 'messages:'

const serviceOf = (consumer: ListedRule['name']): string => consumer.slice(0, consumer.indexOf('/'))

const isOf =
  ({ service, key }: WorkingDataQuery) =>
  (row: WorkingDataRow): boolean =>
    (service === undefined || row.service === service) && (key === undefined || row.key === key)

const isCommandsTopic = (topic: string): boolean => topic.endsWith('.commands')

async function openMessages(
  system: System,
  limit: number,
  after: LedgerCursor | undefined,
): Promise<ListPage<WorkingDataRow>> {
  const page = { limit, ...(after ? { after } : {}) }
  const { rows, next } = await ledgerOf(system)({ isOpen: true, ...page })
  const items: WorkingDataRow[] = []
  for (const row of rows) {
    const isReply = isRepliesTopic(row.topic)
    if (!isReply && !isCommandsTopic(row.topic)) continue
    const record = await recordAt(system, row)
    if (!record) continue
    const { hops, correlation } = decodeEnvelope(record)
    if (!isReply && hops > 0) continue
    items.push({
      kind: isReply ? 'reply' : 'operation',
      service: serviceOf(consumerName(system.catalog, row.consumer)),
      key: record.key,
      operation: isReply ? correlation : record.id,
      since: row.CREATED_DTTM,
      body: record.data,
    })
  }
  return next ? { items, next: MESSAGES + placeText(next.position, next.consumer) } : { items }
}

/** The record of a row; `undefined` if it was trimmed meanwhile, or is damaged. */
async function recordAt(
  { backend: { log } }: System,
  { topic, partition, offset }: LedgerRow,
): Promise<LogRecord | undefined> {
  const from = [{ topic, partition, next: offset }]
  const [slice] = await log.read(from, { records: 1, bytes: 1 }, { ms: 0 })
  return slice?.records.find((each) => each.offset === offset)
}
