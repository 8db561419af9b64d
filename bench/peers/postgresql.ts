// graphile-worker and Emmett, on a PostgreSQL with synchronous commit.
import { offer } from '../../src/bench/apart.ts'
import type { Figures } from '../../src/bench/figures.ts'
import type { Reading } from '../../src/bench/system.ts'
import type { EventStore } from './emmett.ts'
import { appending, consuming } from './emmett.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'
import { measured, summing } from './peer.ts'

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

async function graphile(options: PeerOptions): Promise<Figures> {
  const pg = await packageOf<Pg>('pg')
  const { Logger, makeWorkerUtils, run } = await packageOf<GraphileWorker>('graphile-worker')
  const at = { host: '127.0.0.1', port: options.port, user: 'postgres', database: 'postgres' }
  const pgPool = new pg.default.Pool({ ...at, max: CONNECTIONS })
  const logger = new Logger(() => () => undefined)
  const utils = await makeWorkerUtils({ pgPool, logger })
  await utils.migrate()
  const handle = summing()
  let finished = 0
  const count = (reading: Reading): void => {
    handle(reading)
    finished += 1
  }
  const preset = { worker: BEST }
  await run({ pgPool, logger, noHandleSignals: true, taskList: { count }, preset })
  return measured(
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

async function emmettPostgresql(options: PeerOptions): Promise<Figures> {
  const module = await packageOf<EmmettPostgresql>('@event-driven-io/emmett-postgresql')
  const url = `postgres://postgres@127.0.0.1:${options.port}/postgres`
  const store = module.getPostgreSQLEventStore(url)
  await store.schema.migrate?.()
  const finished = consuming(store, { batchSize: options.batch, pullingFrequencyInMs: 1 })
  return measured({ finished, publish: appending(store) }, options)
}

offer({ graphile, emmettPostgresql })
