// All measurements, each with the durability of its ack, in the order of the table.
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { measureInProcess } from '../src/bench/measure-process.ts'
import { BACKLOG_MAX, ENGINE_PROGRAM } from '../src/bench/engine.ts'
import type { Metrics } from '../src/bench/metrics.ts'
import { createScratchDirectory } from '../src/bench/scratch-directory.ts'
import { versionOf } from './peers/packages.ts'
import { kafka } from './servers/kafka/kafka.ts'
import { nats } from './servers/nats.ts'
import { postgresql } from './servers/postgresql.ts'
import { redis } from './servers/redis.ts'
import type { ServerKind } from './servers/server.ts'

export interface Measurement {
  readonly id: string
  readonly group: string
  readonly system: string
  /** What an ack means. */
  readonly durability: string
  readonly server?: ServerKind
  /** The npm package of a peer, for its version. */
  readonly package?: string
  readonly program: URL
  readonly measure: string
  readonly options: Readonly<Record<string, unknown>>
}

const bare = new URL('engine/bare.ts', import.meta.url)
const SYNCED = 'fsync before ack'

const CALLERS = 50
export const BATCHES = [100, 1_000] as const
export const RATES = [1_000, 20_000] as const

const engineMeasurement = (
  id: string,
  group: string,
  measure: string,
  options: object,
): Measurement => ({
  id,
  group,
  system: 'throughline',
  durability: SYNCED,
  program: ENGINE_PROGRAM,
  measure,
  options: { ...options },
})

const bareLoop = (id: string, group: string, measure: string, options: object): Measurement => ({
  ...engineMeasurement(id, group, measure, options),
  system: 'bare node:sqlite loop, the same rows',
  program: bare,
})

export const GROUPS = {
  append100: 'append, batches of 100',
  append1000: 'append, batches of 1,000',
  single: '50 callers, each one event at a time',
  flow100: 'append → ordered consumer → state, batches of 100',
  flow1000: 'append → ordered consumer → state, batches of 1,000',
  open1000: 'open loop, 1,000 events/s',
  open20000: 'open loop, 20,000 events/s',
} as const

const appends = BATCHES.flatMap((batch) => {
  const group = GROUPS[`append${batch}`]
  return [
    engineMeasurement(`append-${batch}`, group, 'append', { batch, publishers: 1 }),
    bareLoop(`bare-${batch}`, group, 'append', { batch }),
  ]
})

const singles = [
  engineMeasurement('append-single', GROUPS.single, 'append', { batch: 1, publishers: CALLERS }),
  bareLoop('bare-single', GROUPS.single, 'group', { callers: CALLERS }),
]

interface PeerFacts {
  readonly id: string
  readonly system: string
  readonly durability?: string
  readonly server?: ServerKind
  readonly package: string
  readonly file: string
  readonly measure: string
  readonly batches: readonly (typeof BATCHES)[number][]
}

const PEERS: readonly PeerFacts[] = [
  {
    id: 'redis-streams',
    system: 'Redis Streams: XADD, XREADGROUP, XACK',
    server: redis,
    package: 'ioredis',
    file: 'redis',
    measure: 'streams',
    batches: [100],
  },
  {
    id: 'kafka',
    system: 'Kafka: consume → produce → offsets in a transaction, input prepared',
    durability: 'page cache, no fsync',
    server: kafka,
    package: '@platformatic/kafka',
    file: 'kafka',
    measure: 'loop',
    batches: [100, 1_000],
  },
  {
    id: 'bullmq',
    system: 'BullMQ: addBulk, worker with concurrency 100',
    server: redis,
    package: 'bullmq',
    file: 'redis',
    measure: 'bullmq',
    batches: [100],
  },
  {
    id: 'graphile-worker',
    system: 'graphile-worker: addJobs, local queue of 500, concurrency 24',
    server: postgresql,
    package: 'graphile-worker',
    file: 'postgresql',
    measure: 'graphile',
    batches: [100],
  },
  {
    id: 'nats',
    system: 'NATS JetStream on files: publish, consume, ack',
    durability: 'page cache, no fsync',
    server: nats,
    package: '@nats-io/jetstream',
    file: 'nats',
    measure: 'jetstream',
    batches: [100],
  },
  {
    id: 'emmett-sqlite',
    system: 'Emmett on SQLite: append to streams, then consume',
    package: '@event-driven-io/emmett-sqlite',
    file: 'embedded',
    measure: 'emmettSqlite',
    batches: [100],
  },
  {
    id: 'emmett-postgresql',
    system: 'Emmett on PostgreSQL: append to streams, consume',
    server: postgresql,
    package: '@event-driven-io/emmett-postgresql',
    file: 'postgresql',
    measure: 'emmettPostgresql',
    batches: [100],
  },
]

const loop = (batch: number): object => ({ batch, publishers: 2, backlogMax: BACKLOG_MAX })

const flows = BATCHES.flatMap((batch): readonly Measurement[] => {
  const group = GROUPS[`flow${batch}`]
  const paths = (['projection', 'entity'] as const).map((path) => ({
    ...engineMeasurement(`${path}-${batch}`, group, 'endToEnd', { ...loop(batch), path }),
    system: `throughline, ${path === 'projection' ? 'event → row' : 'command → event → entity'}`,
  }))
  const peers = PEERS.filter(({ batches }) => batches.includes(batch)).map(
    ({ file, id, durability = SYNCED, ...facts }): Measurement => ({
      ...facts,
      id: `${id}-${batch}`,
      group,
      durability,
      program: new URL(`peers/${file}.ts`, import.meta.url),
      options: { ...loop(batch) },
    }),
  )
  return [...paths, ...peers]
})

const openLoops = RATES.map((perSecond) =>
  engineMeasurement(`open-${perSecond}`, GROUPS[`open${perSecond}`], 'openLoop', {
    perSecond,
    path: 'projection',
  }),
)

export const MEASUREMENTS: readonly Measurement[] = [...appends, ...singles, ...flows, ...openLoops]

/** The length of each measurement. */
export interface Pace {
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Rows that a bare loop inserts. */
  readonly rows: number
}

/** The directories of a run. */
export interface BenchDirectories {
  /** The parent of all other directories, on the measured disk. */
  readonly root: string
  /** Rows of the engine, for the bare loops. */
  readonly rows: string
}

/** Measures once, in its own processes and directory, which are removed afterwards. */
export async function measure(
  { program, measure: name, options, server }: Measurement,
  { root, rows }: BenchDirectories,
  pace: Pace,
): Promise<Metrics> {
  using own = createScratchDirectory(root)
  if (program === bare) {
    const source = { directory: rows, events: pace.rows }
    await fillOnce(source)
    return await measureInProcess<Metrics>(program, name, { ...options, ...source, into: own.path })
  }
  const [data, directory] = [join(own.path, 'server'), join(own.path, 'own')]
  for (const each of [data, directory]) mkdirSync(each)
  const running = await server?.start(data)
  try {
    const given = { ...pace, ...options, directory, port: running?.port }
    return await measureInProcess<Metrics>(program, name, given)
  } finally {
    await running?.stop()
  }
}

async function fillOnce(source: { readonly directory: string; events: number }): Promise<void> {
  if (!existsSync(source.directory)) await measureInProcess(bare, 'make', source)
}

/** The versions of the measured system. */
export async function versionsOf(measurement: Measurement): Promise<string> {
  const server = measurement.server
  const versions = [
    measurement.package && `${measurement.package} ${versionOf(measurement.package)}`,
    server && `${server.name} ${await server.prepare()}`,
  ]
  return versions.filter((version) => version !== undefined).join(', ')
}
