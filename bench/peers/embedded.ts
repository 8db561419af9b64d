// Emmett on SQLite, in this process.
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { serveMeasures } from '../../src/bench/measure-process.ts'
import type { Metrics } from '../../src/bench/metrics.ts'
import { readingOf } from '../../src/bench/system.ts'
import type { EventStore } from './emmett.ts'
import { appending, consuming } from './emmett.ts'
import { packageOf } from './packages.ts'
import type { PeerOptions } from './peer.ts'

interface EmmettSqlite {
  getSQLiteEventStore(options: object): EventStore
}

const PATIENCE_MS = 60_000

/**
 * Appends first, then consumes; the rate is that of both together. If both run at once, SQLITE_BUSY
 * ends the process.
 */
async function emmettSqlite({ directory, seconds, batch }: PeerOptions): Promise<Metrics> {
  const module = await packageOf<EmmettSqlite>('@event-driven-io/emmett-sqlite')
  const fileName = join(directory, 'emmett.db')
  const schema = { autoMigration: 'CreateOrUpdate' }
  const store = module.getSQLiteEventStore({ fileName, schema })
  await store.schema.migrate?.()
  const append = appending(store)
  const cpuBefore = process.cpuUsage()
  const beganAt = performance.now()
  let published = 0
  for (; performance.now() - beganAt < (seconds * 1_000) / 2; published += batch)
    await append(Array.from({ length: batch }, (_, at) => readingOf(published + at)))
  const finished = consuming(store, { batchSize: batch, pullingFrequencyInMs: 1 })
  while (finished() < published) {
    if (performance.now() - beganAt > PATIENCE_MS)
      throw new Error(`only ${finished()} of ${published} events were consumed`)
    await pause(1)
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  const perSecond = (published / (performance.now() - beganAt)) * 1_000
  return { perSecond, cpuUs: (user + system) / published }
}

serveMeasures({ emmettSqlite })
