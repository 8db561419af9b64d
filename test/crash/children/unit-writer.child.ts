// Appends and commits units with many writers until it is killed. Each line is written before an
// operation begins or after it was acked; the pipe keeps the lines after a kill.
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Place } from '../../../src/ports/event-log.ts'
import { ORDERS, PAYMENTS, testTopic } from '../../../src/ports/conformance/fixtures.ts'
import type { Lease } from '../../../src/ports/event-store.ts'
import { writeLine } from '../support/write-line.ts'
import type { WorkloadLine } from '../support/unit-workload.ts'
import {
  CARTS,
  RESOURCE,
  TABLES,
  UNIT_KEYS,
  eventWithId,
  unitToVersion,
} from '../support/unit-workload.ts'

const [directory = '', run = '', moment = 'never', at = '0'] = process.argv.slice(2)
const random = seededRandom(Number(run))
const { log, store } = embedded({ directory })

function tell(line: WorkloadLine): void {
  writeLine(line)
}

/** Kills this process at a chosen step of a transaction. */
function plant(): void {
  let left = Number(at)
  const step = (): void => {
    left -= 1
    if (left === 0) process.kill(process.pid, 'SIGKILL')
  }
  const { exec } = DatabaseSync.prototype
  const { run } = StatementSync.prototype
  DatabaseSync.prototype.exec = function (sql) {
    if (sql === 'COMMIT' && moment === 'before commit') step()
    exec.call(this, sql)
    if (sql === 'COMMIT' && moment === 'after commit') step()
  }
  StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
    if (moment === 'inside') step()
    return run.apply(this, values)
  } as typeof run
}

/** Keeps up to three calls in flight, which are stored in the order in which they begin. */
async function append(writer: string): Promise<never> {
  const flights: Promise<void>[] = []
  let latest = ''
  for (let count = 0; ;) {
    const ids = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, at) => {
      return `${writer}/${count + at}`
    })
    count += ids.length
    // Sometimes send an acked event again.
    const sent = latest && random() < 0.2 ? [latest, ...ids] : ids
    tell({ kind: 'tried', writer, ids })
    const flight = log.append(sent.map(eventWithId)).then((answers) => {
      const places: Place[] = []
      for (const answer of answers)
        if (answer.status === 'stored' && answer.place) places.push(answer.place)
      if (places.length !== sent.length) tell({ kind: 'wrong', what: JSON.stringify(answers) })
      tell({ kind: 'stored', ids: sent, places })
      latest = ids.at(-1) ?? ''
      return undefined
    })
    flights.push(flight)
    if (flights.length === 3) await flights.shift()
  }
}

async function commit(key: string, claim: Lease): Promise<never> {
  const [row] = await store.get([{ table: CARTS, key }])
  for (let version = (row?.version ?? 0) + 1; ; version += 1) {
    const answer = await store.commit(unitToVersion(key, version, [claim]))
    if (answer.status === 'done') tell({ kind: 'done', key, version })
    else tell({ kind: 'wrong', what: JSON.stringify(answer) })
  }
}

await log.open()
await store.open()
await log.declare([testTopic(ORDERS), testTopic(PAYMENTS)])
await store.declare(TABLES)
// A long lease: the next process must not have to wait for a killed one.
const { held } = await store.beat({ id: `run-${run}` }, [RESOURCE], 3_600_000)
const [claim] = held
if (!claim) throw new Error('a killed process still holds the lease')
tell({ kind: 'claimed', claim })
plant()
const writers = Array.from({ length: 12 }, (_, at) => append(`run${run}w${at}`))
await Promise.all([...writers, ...UNIT_KEYS.map((key) => commit(key, claim))])
