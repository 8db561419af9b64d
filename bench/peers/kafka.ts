// Kafka's own exactly-once loop: consume, produce, offsets, in one transaction.
import { serveMeasures } from '../../src/bench/measure-process.ts'
import { sleep, systemClock } from '../../src/base/time/clock.ts'
import { rateOf } from '../../src/bench/closed-loop.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Reading } from '../../src/bench/system.ts'
import { readingOf } from '../../src/bench/system.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'
import { createSummingHandler } from './peer.ts'

interface Record {
  readonly topic: string
  readonly partition?: number
  readonly key: string
  readonly value: string
}
interface Consumed extends Record {
  readonly partition: number
}
interface Transaction {
  send(options: { readonly messages: readonly Record[] }): Promise<unknown>
  addConsumer(consumer: Consumer): Promise<void>
  addOffset(message: Consumed): Promise<void>
  commit(): Promise<void>
}
interface Producer {
  send(options: { readonly messages: readonly Record[] }): Promise<unknown>
  beginTransaction(): Promise<Transaction>
  close(): Promise<void>
}
interface Consumer {
  consume(options: object): Promise<AsyncIterable<Consumed>>
}
interface Kafka {
  readonly Admin: new (options: object) => { createTopics(options: object): Promise<unknown> }
  readonly Producer: new (options: object) => Producer
  readonly Consumer: new (options: object) => Consumer
  readonly stringSerializers: object
  readonly stringDeserializers: object
}

const PARTITIONS = 8
const FILL_BATCH = 1_000
/** More than the loop can process in a second. */
const FILLED_PER_SECOND = 60_000
/** With the default retry delay of a second, nearly each transaction would wait that long. */
const PATIENT = { retries: 1_000, retryDelay: 3 } as const
const READ_COMMITTED = 1
/** The JVM needs time to compile. */
const WARM_UP_SECONDS_MIN = 3

async function loop(options: PeerOptions): Promise<Metrics> {
  const { port, batch, seconds } = options
  const warmUpSeconds = Math.max(options.warmUpSeconds, WARM_UP_SECONDS_MIN)
  const client = await packageOf<Kafka>('@platformatic/kafka')
  const base = { clientId: 'bench', bootstrapBrokers: [`127.0.0.1:${port}`] }
  const topics = ['readings', 'totals']
  await new client.Admin(base).createTopics({ topics, partitions: PARTITIONS, replicas: 1 })
  const serializers = client.stringSerializers
  await fill(new client.Producer({ ...base, serializers }), seconds + warmUpSeconds)
  const producer = new client.Producer({
    ...base,
    ...PATIENT,
    serializers,
    idempotent: true,
    transactionalId: 'totals',
  })
  const deserializers = client.stringDeserializers
  const consumer = new client.Consumer({ ...base, groupId: 'totals', deserializers })
  const reading = { mode: 'earliest', autocommit: false, isolationLevel: READ_COMMITTED }
  const stream = await consumer.consume({ topics: ['readings'], ...reading })
  let finished = 0
  const work = async (): Promise<void> => {
    const handle = createSummingHandler()
    let taken: Consumed[] = []
    for await (const record of stream) {
      taken.push(record)
      if (taken.length < batch) continue
      await transact(producer, consumer, taken, handle)
      finished += taken.length
      taken = []
    }
  }
  void work()
  const clock = systemClock()
  // Joining the consumer group is not measured.
  while (finished === 0) await sleep(clock, 1)
  return rateOf(clock, () => finished, { seconds, warmUpSeconds })
}

/** Produces the input before the loop starts, so that it is not measured. */
async function fill(producer: Producer, seconds: number): Promise<void> {
  const total = FILLED_PER_SECOND * seconds
  for (let from = 0; from < total; from += FILL_BATCH) {
    const readings = Array.from({ length: FILL_BATCH }, (_, at) => readingOf(from + at))
    const messages = readings.map((reading) => ({
      topic: 'readings',
      key: reading.meterId,
      value: JSON.stringify(reading),
    }))
    await producer.send({ messages })
  }
  await producer.close()
}

async function transact(
  producer: Producer,
  consumer: Consumer,
  taken: readonly Consumed[],
  handle: (reading: Reading) => void,
): Promise<void> {
  const messages = taken.map(({ key, value }) => {
    const reading = JSON.parse(value) as Reading
    handle(reading)
    return { topic: 'totals', key, value: JSON.stringify(reading) }
  })
  const last = new Map(taken.map((record) => [record.partition, record]))
  const transaction = await producer.beginTransaction()
  await transaction.addConsumer(consumer)
  await transaction.send({ messages })
  for (const record of last.values()) await transaction.addOffset(record)
  await transaction.commit()
}

serveMeasures({ loop })
