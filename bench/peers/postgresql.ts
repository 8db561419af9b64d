// graphile-worker and Emmett, on a PostgreSQL with synchronous commit.
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import type { Reading } from '../../src/bench/system.ts'
import type { EventStore } from './emmett.ts'
import { appending, consuming } from './emmett.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'
import { measurePeer, createSummingHandler } from './peer.ts'

interface Pg {
  readonly default: { readonly Pool: new (options: object) => object }
}
interface GraphileWorker {
  readonly Logger: new (factory: () => () => void) => object
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>
    addJobs(jobs: readonly object[]): Promise<unknown>
  }>
  run(options: object): Promise<unknown>
}

const CONNECTIONS = 16

/** Its fastest settings: a local queue, and completion batches without a delay. */
const BEST = {
  concurrentJobs: 24,
  pollInterval: 500,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
} as const

async function graphile(options: PeerOptions): Promise<Metrics> {
  const pg = await packageOf<Pg>('pg')
  const { Logger, makeWorkerUtils, run } = await packageOf<GraphileWorker>('graphile-worker')
  const at = { host: '127.0.0.1', port: options.port, user: 'postgres', database: 'postgres' }
  const pgPool = new pg.default.Pool({ ...at, max: CONNECTIONS })
  const logger = new Logger(() => () => undefined)
  const utils = await makeWorkerUtils({ pgPool, logger })
  await utils.migrate()
  const handle = createSummingHandler()
  let finished = 0
  const count = (reading: Reading): void => {
    handle(reading)
    finished += 1
  }
  const preset = { worker: BEST }
  await run({ pgPool, logger, noHandleSignals: true, taskList: { count }, preset })
  return measurePeer(
    {
      finished: () => finished,
      publish: (readings) =>
        utils.addJobs(readings.map((payload) => ({ identifier: 'count', payload }))),
    },
    options,
  )
}

interface EmmettPostgresql {
  getPostgreSQLEventStore(url: string): EventStore
}

async function emmettPostgresql(options: PeerOptions): Promise<Metrics> {
  const module = await packageOf<EmmettPostgresql>('@event-driven-io/emmett-postgresql')
  const url = `postgres://postgres@127.0.0.1:${options.port}/postgres`
  const store = module.getPostgreSQLEventStore(url)
  await store.schema.migrate?.()
  const finished = consuming(store, { batchSize: options.batch, pullingFrequencyInMs: 1 })
  return measurePeer({ finished, publish: appending(store) }, options)
}

serveMeasures({ graphile, emmettPostgresql })
