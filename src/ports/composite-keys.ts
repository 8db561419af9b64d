// Keys of rows, partitions, progress and order in maps.
import { compositeKey } from '../base/composite-key.ts'
import type { LogEvent } from './event-log.ts'
import type { Progress, RowKey } from './event-store.ts'
import type { ConsumedEvent } from './status.ts'

export const rowId = ({ table, key }: RowKey): string => compositeKey(table, key)

/** A partition of a topic. */
export type PartitionName = Pick<Progress, 'topic' | 'partition'>

export const partitionId = ({ topic, partition }: PartitionName): string =>
  compositeKey(topic, partition)

/** The progress of a consumer in a partition. */
export type ProgressName = PartitionName & Pick<Progress, 'consumer'>

export const progressId = ({ consumer, topic, partition }: ProgressName): string =>
  compositeKey(consumer, topic, partition)

/** Events with the same topic and key keep their order. */
export const orderId = ({ topic, key }: Pick<LogEvent, 'topic' | 'key'>): string =>
  compositeKey(topic, key)

/** An event at a consumer. */
export const consumedEventKey = (event: ConsumedEvent): string =>
  compositeKey(progressId(event), event.offset)
