import type { Reading } from '../../src/bench/system.ts'
import type { Peer } from './peer.ts'
import { createSummingHandler } from './peer.ts'

interface RecordedEvent {
  readonly data: Reading
}
interface ProcessorOptions {
  readonly processorId: string
  readonly startFrom: 'BEGINNING'
  readonly eachMessage: (event: RecordedEvent) => void
}
interface Consumer {
  reactor?(options: ProcessorOptions): unknown
  processor?(options: ProcessorOptions): unknown
  start(): Promise<unknown>
}

/** The common part of Emmett's stores that the bench uses. */
export interface EventStore {
  readonly schema: { migrate?(): Promise<unknown> }
  appendToStream(stream: string, events: readonly object[]): Promise<unknown>
  consumer(options: { readonly pulling: Pulling }): Consumer
}

export interface Pulling {
  readonly batchSize: number
  /** The default of 50 would limit the rate. */
  readonly pullingFrequencyInMs: number
}

/** Appends each batch to a stream of its own. */
export function appending(store: EventStore): Peer['publish'] {
  let streams = 0
  return (readings) =>
    store.appendToStream(
      `batch-${streams++}`,
      readings.map((data) => ({ type: 'Taken', data })),
    )
}

/** Starts a processor with a checkpoint; returns a function with the number of handled events. */
export function consuming(store: EventStore, pulling: Pulling): Peer['finished'] {
  const handle = createSummingHandler()
  let finished = 0
  const eachMessage = ({ data }: RecordedEvent): void => {
    handle(data)
    finished += 1
  }
  const consumer = store.consumer({ pulling })
  const processor: ProcessorOptions = { processorId: 'totals', startFrom: 'BEGINNING', eachMessage }
  if (consumer.reactor) consumer.reactor(processor)
  else consumer.processor?.(processor)
  void consumer.start()
  return () => finished
}
