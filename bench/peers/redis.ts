// Redis Streams and BullMQ, on a Redis with `appendfsync always`.
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Reading } from '../../src/bench/system.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'
import { measurePeer, createSummingHandler } from './peer.ts'

type Entry = readonly [id: string, fields: readonly string[]]

interface Pipeline {
  xadd(...words: readonly string[]): unknown
  exec(): Promise<unknown>
}
interface Client {
  pipeline(): Pipeline
  xgroup(...words: readonly string[]): Promise<unknown>
  xreadgroup(
    ...words: readonly (string | number)[]
  ): Promise<readonly (readonly [string, readonly Entry[]])[] | null>
  xack(stream: string, group: string, ...ids: readonly string[]): Promise<unknown>
}
interface Ioredis {
  readonly Redis: new (options: { readonly host: string; readonly port: number }) => Client
}

const STREAM = 'readings'
const GROUP = 'totals'
const HOST = '127.0.0.1'

/** XADD in pipelines, XREADGROUP, XACK; one consumer, since several would lose the order. */
async function streams(options: PeerOptions): Promise<Metrics> {
  const { port, batch } = options
  const { Redis } = await packageOf<Ioredis>('ioredis')
  const [writer, reader] = [new Redis({ host: HOST, port }), new Redis({ host: HOST, port })]
  await writer.xgroup('CREATE', STREAM, GROUP, '$', 'MKSTREAM')
  const handle = createSummingHandler()
  let finished = 0
  const consume = async (): Promise<never> => {
    const words = ['GROUP', GROUP, 'one', 'COUNT', batch, 'BLOCK', 200, 'STREAMS', STREAM, '>']
    for (;;) {
      const [found] = (await reader.xreadgroup(...words)) ?? []
      if (!found) continue
      for (const [, fields] of found[1]) handle(JSON.parse(fields[1] ?? '') as Reading)
      await reader.xack(STREAM, GROUP, ...found[1].map(([id]) => id))
      finished += found[1].length
    }
  }
  void consume()
  return measurePeer(
    {
      finished: () => finished,
      publish(readings) {
        const pipeline = writer.pipeline()
        for (const reading of readings) pipeline.xadd(STREAM, '*', 'data', JSON.stringify(reading))
        return pipeline.exec()
      },
    },
    options,
  )
}

interface Job {
  readonly data: Reading
}
interface Bullmq {
  readonly Queue: new (
    name: string,
    options: object,
  ) => { addBulk(jobs: readonly object[]): Promise<unknown> }
  readonly Worker: new (
    name: string,
    handle: (job: Job) => Promise<void>,
    options: object,
  ) => { on(event: string, hear: () => void): unknown; waitUntilReady(): Promise<unknown> }
}

/** The best value with fsync, since many jobs share one. */
const CONCURRENCY = 100

async function bullmq(options: PeerOptions): Promise<Metrics> {
  const { Queue, Worker } = await packageOf<Bullmq>('bullmq')
  const connection = { host: HOST, port: options.port, maxRetriesPerRequest: null }
  const kept = { removeOnComplete: true, removeOnFail: true }
  const queue = new Queue('readings', { connection, defaultJobOptions: kept })
  const handle = createSummingHandler()
  const take = async ({ data }: Job): Promise<void> => handle(data)
  const worker = new Worker('readings', take, { connection, concurrency: CONCURRENCY })
  let finished = 0
  worker.on('completed', () => (finished += 1))
  worker.on('error', () => undefined)
  await worker.waitUntilReady()
  return measurePeer(
    {
      finished: () => finished,
      publish: (readings) => queue.addBulk(readings.map((data) => ({ name: 'reading', data }))),
    },
    options,
  )
}

serveMeasures({ streams, bullmq })
