import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { LogRecord, Place } from '../../src/ports/event-log.ts'
import { ORDERS, PAYMENTS, eventOfRecord, idsOf } from '../../src/ports/conformance/fixtures.ts'
import { assertStored, placeOf, readAll } from '../../src/ports/conformance/fixtures.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { tempDirectory, startChild } from './support/child-process.ts'
import type { WorkloadLine } from './support/unit-workload.ts'
import {
  CARTS,
  TABLES,
  TOTALS,
  UNIT_KEYS,
  unitAppends,
  consumerOf,
} from './support/unit-workload.ts'
import { eventWithId, writerOf } from './support/unit-workload.ts'

/** What is known about the directory from outside, over all runs. */
interface Known {
  readonly acked: Map<string, Place>
  /** By writer, in the order in which they were tried. */
  readonly tried: Map<string, string[]>
  /** The latest version of each row that was acked. */
  readonly versions: Map<string, number>
  generation: number
}

/** When the process dies: after so many acks that were seen, or by itself at a step. */
interface Kill {
  readonly moment: 'never' | 'before commit' | 'after commit' | 'inside'
  readonly at: number
}

/** Runs the process until it is killed, and learns what it told. */
async function die(
  t: TestContext,
  directory: string,
  run: number,
  { moment, at }: Kill,
  known: Known,
): Promise<void> {
  const args = [directory, String(run), moment, String(at)]
  const child = startChild<WorkloadLine>(t, 'unit-writer.child.ts', args)
  let acks = 0
  for (let line = await child.next(); line; line = await child.next()) {
    learn(line, known)
    if (line.kind === 'stored' || line.kind === 'done') acks += 1
    if (moment === 'never' && acks === at) child.kill()
  }
  assert.equal(await child.ended, 'SIGKILL')
}

function learn(line: WorkloadLine, known: Known): void {
  const { acked, tried, versions } = known
  if (line.kind === 'wrong') assert.fail(line.what)
  else if (line.kind === 'tried')
    tried.set(line.writer, [...(tried.get(line.writer) ?? []), ...line.ids])
  else if (line.kind === 'done') versions.set(line.key, line.version)
  else if (line.kind === 'claimed') {
    assert.ok(line.claim.generation > known.generation, 'who was killed is fenced')
    known.generation = line.claim.generation
  } else
    for (const [at, id] of line.ids.entries()) {
      const { topic, partition, offset } = line.places[at] as Place
      const before = acked.get(id)
      if (before) assert.deepEqual({ topic, partition, offset }, before, `${id} is stored once`)
      acked.set(id, { topic, partition, offset })
    }
}

/** Every event once, at an offset and a position of its own, everything acked at its place. */
function checkLog(records: readonly LogRecord[], known: Known): void {
  const byId = new Map(records.map((record) => [record.id, record]))
  assert.equal(byId.size, records.length, 'no event twice')
  assert.equal(new Set(records.map(({ position }) => position)).size, records.length)
  for (const [id, ack] of known.acked) {
    const record = byId.get(id)
    assert.ok(record, `${id} was acked`)
    assert.deepEqual(placeOf(record), ack)
    assert.deepEqual(eventOfRecord(record), eventWithId(id))
  }
  const stored = new Map<string, string[]>()
  for (const { id } of records) stored.set(writerOf(id), [...(stored.get(writerOf(id)) ?? []), id])
  for (const [writer, tried] of known.tried) {
    const ids = stored.get(writer) ?? []
    assert.deepEqual(ids, tried.slice(0, ids.length), 'in order, and nothing overtook a lost one')
  }
}

/** Rows, progress, appends, stream and status of every unit are there, or none of them. */
async function checkUnits(
  { log, store }: Backend,
  records: readonly LogRecord[],
  known: Known,
): Promise<void> {
  for (const key of UNIT_KEYS) {
    const [cart, total] = await store.get([
      { table: CARTS, key },
      { table: TOTALS, key },
    ])
    const version = cart?.version ?? 0
    const latest = known.versions.get(key) ?? 0
    assert.ok(version === latest || version === latest + 1, `${version} after an ack of ${latest}`)
    known.versions.set(key, version)
    const expected = Array.from({ length: version }, (_, at) => unitAppends(key, at + 1))
    const own = records.filter((record) => record.key === `unit-${key}`)
    assert.deepEqual(idsOf(own), idsOf(expected.flat()))
    if (version === 0) continue
    assert.equal(cart?.body, JSON.stringify({ version }))
    assert.equal(total?.body, JSON.stringify({ version }))
    const [progress] = await store.progress([consumerOf(key)])
    const counts = { ...NO_COUNTS, next: version, accepted: version, completed: version }
    assert.deepEqual(progress, {
      consumer: consumerOf(key),
      topic: ORDERS,
      partition: 0,
      ...counts,
    })
    const statuses = await store.statuses({ consumer: consumerOf(key), limit: 10_000 })
    assert.equal(statuses.length, version)
    const stream = await store.stream({ table: CARTS, key }, 1, version + 10)
    assert.deepEqual(
      stream,
      await Promise.all(expected.map(async ([first]) => log.find?.(PAYMENTS, first?.id ?? ''))),
    )
    const where = { index: 'version', equals: version }
    const found = await store.scan({ table: CARTS, where, limit: 100 })
    assert.ok(found.some((row) => row.key === key))
  }
}

/** What was not acked is sent again, and is then there once. */
async function sendAgain({ log }: Backend, known: Known): Promise<void> {
  for (const ids of known.tried.values()) {
    const open = ids.filter((id) => !known.acked.has(id))
    const answers = await log.append(open.map(eventWithId))
    assertStored(answers)
    for (const [at, answer] of answers.entries())
      if (answer.status === 'stored' && answer.place) known.acked.set(open[at] ?? '', answer.place)
  }
  checkLog(await readAll(log), known)
}

async function check(directory: string, known: Known): Promise<void> {
  const backend = embedded({ directory })
  const { log, store } = backend
  await log.open()
  await store.open()
  try {
    await store.declare(TABLES)
    const records = await readAll(log)
    checkLog(records, known)
    await checkUnits(backend, await readAll(log, PAYMENTS), known)
    await sendAgain(backend, known)
    for (const topic of [ORDERS, PAYMENTS]) {
      const ends = await log.ends([topic])
      const count = ends.reduce((sum, { next }) => sum + next, 0)
      assert.equal(count, (await readAll(log, topic)).length, 'no offset was given in vain')
    }
  } finally {
    await log.close()
    await store.close()
  }
}

const random = seededRandom(20)
const upTo = (count: number): number => 1 + Math.floor(random() * count)

const KILLS: readonly Kill[] = [
  { moment: 'never', at: 1 },
  { moment: 'before commit', at: 1 },
  { moment: 'after commit', at: 1 },
  { moment: 'never', at: upTo(400) },
  { moment: 'inside', at: upTo(300) },
  { moment: 'never', at: upTo(1_500) },
  { moment: 'inside', at: upTo(300) },
  { moment: 'before commit', at: upTo(30) },
  { moment: 'never', at: upTo(1_500) },
  { moment: 'after commit', at: upTo(30) },
]

suite(
  'a process that is killed inside a transaction',
  { skip: process.platform === 'win32' },
  () => {
    test('LOG-03 kill inside a unit over several partitions: it is there whole or not at all', async (t) => {
      const directory = await tempDirectory(t)
      const known: Known = {
        acked: new Map(),
        tried: new Map(),
        versions: new Map(),
        generation: 0,
      }
      for (const [run, kill] of KILLS.entries()) {
        await die(t, directory, run, kill, known)
        await check(directory, known)
      }
      assert.ok(known.acked.size > 1_000)
      assert.ok(Math.min(...known.versions.values()) > 5)
    })
  },
)
