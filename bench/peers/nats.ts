// NATS JetStream on files.
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Reading } from '../../src/bench/system.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'
import { measurePeer, createSummingHandler } from './peer.ts'

type Connection = object
interface Transport {
  connect(options: { readonly servers: string }): Promise<Connection>
}
interface Delivered {
  json(): Reading
  ack(): void
}
interface JetStream {
  jetstream(connection: Connection): {
    publish(subject: string, data: string): Promise<unknown>
    readonly consumers: {
      get(
        stream: string,
        consumer: string,
      ): Promise<{ consume(options: object): Promise<AsyncIterable<Delivered>> }>
    }
  }
  jetstreamManager(connection: Connection): Promise<{
    readonly streams: { add(options: object): Promise<unknown> }
    readonly consumers: { add(stream: string, options: object): Promise<unknown> }
  }>
}

const SUBJECTS = 8
const AHEAD_MAX = 1_000
const UNACKED_MAX = 20_000

async function jetstreamOf(options: PeerOptions): Promise<Metrics> {
  const { connect } = await packageOf<Transport>('@nats-io/transport-node')
  const { jetstream, jetstreamManager } = await packageOf<JetStream>('@nats-io/jetstream')
  const connection = await connect({ servers: `127.0.0.1:${options.port}` })
  const manager = await jetstreamManager(connection)
  const stream = { name: 'readings', subjects: ['readings.>'], storage: 'file', num_replicas: 1 }
  await manager.streams.add(stream)
  const consumer = { durable_name: 'totals', ack_policy: 'explicit', max_ack_pending: UNACKED_MAX }
  await manager.consumers.add('readings', consumer)
  const client = jetstream(connection)
  const durable = await client.consumers.get('readings', 'totals')
  const delivered = await durable.consume({ max_messages: AHEAD_MAX })
  const handle = createSummingHandler()
  let finished = 0
  const consume = async (): Promise<void> => {
    for await (const message of delivered) {
      handle(message.json())
      message.ack()
      finished += 1
    }
  }
  void consume()
  return measurePeer(
    {
      finished: () => finished,
      publish: (readings) =>
        Promise.all(
          readings.map((reading) =>
            client.publish(`readings.${reading.number % SUBJECTS}`, JSON.stringify(reading)),
          ),
        ),
    },
    options,
  )
}

serveMeasures({ jetstream: jetstreamOf })
