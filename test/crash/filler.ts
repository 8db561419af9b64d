// Appends under a file-size limit, so that SQLite's writes fail; prints the results.
import { embedded } from '../../src/backends/embedded/index.ts'
import { eventOf, eventsOf, topicOf } from '../../src/ports/conformance/sample.ts'
import { ORDERS, unitOf, verdictOf } from '../../src/ports/conformance/sample.ts'

const [directory = ''] = process.argv.slice(2)
const { log, store } = embedded({ directory })
await log.open()
await store.open()
await log.declare([topicOf(ORDERS)])
await store.declare([{ name: 'shop.orders', indexes: [] }])
const row = { table: 'shop.orders', key: 'a', expected: 0, version: 1, body: '{}' }
const unit = unitOf({ rows: [row] })
const heads = async (): Promise<readonly number[]> =>
  (await log.ends([ORDERS])).map(({ next }) => next)

const before = await log.append(eventsOf('before', 10))
const headsBefore = await heads()
const large = JSON.stringify('x'.repeat(500_000))
const [failed, failedUnit] = await Promise.all([
  log.append(eventsOf('large', 16, { data: large })),
  store.commit(unit),
])
const failing = await log.health()
const headsAfter = await heads()
const after = await log.append([...eventsOf('after', 10), eventOf('before-0', { key: 'key-0' })])
const doneUnit = await store.commit(unit)
const well = await log.health()
const found = {
  before: before.map(verdictOf),
  failed: failed.map(verdictOf),
  after: after.map(verdictOf),
  units: [failedUnit.is, doneUnit.is],
  health: [failing.is, well.is],
  detail: failing.detail,
  heads: [headsBefore, headsAfter],
}
await log.close()
await store.close()
process.stdout.write(`${JSON.stringify(found)}\n`)
