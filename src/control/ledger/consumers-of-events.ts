import { yieldToEventLoop } from '../../base/time/clock.ts'
import { compositeKey } from '../../base/composite-key.ts'
import { toWallTime } from '../../engine/listing/index.ts'
import { consumerName } from '../../engine/plan/index.ts'
import type { LogRecord } from '../../ports/event-log.ts'
import type { LedgerRow } from '../../ports/ledger.ts'
import type { System } from '../system.ts'
import type { EventAtConsumer } from '../views.ts'

/** Consumers of one event that are shown. */
const CONSUMERS_MAX = 1_000
const YIELD_EVERY = 20

/** The consumers of a record; `undefined` where the store has no ledger. */
export type ConsumersOf = (record: LogRecord) => readonly EventAtConsumer[] | undefined

const placeKey = ({
  topic,
  partition,
  offset,
}: Pick<LogRecord, 'topic' | 'partition' | 'offset'>) => compositeKey(topic, partition, offset)

/** Looks up the status of each record at each of its consumers. The ledger finds events by an index. */
export async function readConsumersOf(
  system: System,
  records: readonly LogRecord[],
): Promise<ConsumersOf> {
  const { store } = system.backend
  if (!store.ledger) return () => undefined
  const found = new Map<string, EventAtConsumer[]>(records.map((each) => [placeKey(each), []]))
  const ids = [...new Set(records.map(({ id }) => id))]
  for (const [at, eventId] of ids.entries()) {
    const { rows } = await store.ledger({ eventId, limit: CONSUMERS_MAX })
    // The same id may be in several topics.
    for (const row of rows) found.get(placeKey(row))?.push(eventAtConsumer(system, row))
    if ((at + 1) % YIELD_EVERY === 0) await yieldToEventLoop(system.clock)
  }
  return (record) => found.get(placeKey(record))
}

function eventAtConsumer(system: System, row: LedgerRow): EventAtConsumer {
  const { consumer, STATUS, attempts, due, error, resolution, UPDATED_BY, UPDATED_DTTM } = row
  return {
    consumer: consumerName(system.catalog, consumer),
    status: STATUS,
    attempts,
    ...(due === null ? {} : { dueAt: toWallTime(system, Date.parse(due)) }),
    ...(error === null ? {} : { error }),
    ...(resolution === null ? {} : { resolution }),
    ...(UPDATED_BY === null ? {} : { updatedBy: UPDATED_BY }),
    ...(UPDATED_DTTM === null ? {} : { updatedAt: Date.parse(UPDATED_DTTM) }),
  }
}
