// Texts by which maps find rows, partitions, progress, and what keeps its order.
import { compositeKey } from '../base/composite-key.ts'
import type { LogEvent } from './log.ts'
import type { Progress, RowKey } from './store.ts'

export const rowId = ({ table, key }: RowKey): string => compositeKey(table, key)

/** A partition of a topic. */
export type PartitionName = Pick<Progress, 'topic' | 'partition'>

export const partitionId = ({ topic, partition }: PartitionName): string =>
  compositeKey(topic, partition)

/** Where one consumer reads. */
export type ProgressName = PartitionName & Pick<Progress, 'consumer'>

export const progressId = ({ consumer, topic, partition }: ProgressName): string =>
  compositeKey(consumer, topic, partition)

/** What keeps its order: the events of a key in a topic. */
export const orderId = ({ topic, key }: Pick<LogEvent, 'topic' | 'key'>): string =>
  compositeKey(topic, key)
