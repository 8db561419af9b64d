// Appends under a file-size limit, so that SQLite's writes fail; prints the results.
import { embedded } from '../../../src/backends/embedded/index.ts'
import { testEvent, testEvents, testTopic } from '../../../src/ports/conformance/fixtures.ts'
import { ORDERS, testUnit, resultCode } from '../../../src/ports/conformance/fixtures.ts'

const [directory = ''] = process.argv.slice(2)
const { log, store } = embedded({ directory })
await log.open()
await store.open()
await log.declare([testTopic(ORDERS)])
await store.declare([{ name: 'shop.orders', indexes: [] }])
const row = { table: 'shop.orders', key: 'a', expected: 0, version: 1, body: '{}' }
const unit = testUnit({ rows: [row] })
const heads = async (): Promise<readonly number[]> =>
  (await log.ends([ORDERS])).map(({ next }) => next)

const before = await log.append(testEvents('before', 10))
const headsBefore = await heads()
const large = JSON.stringify('x'.repeat(500_000))
const [failed, failedUnit] = await Promise.all([
  log.append(testEvents('large', 16, { data: large })),
  store.commit(unit),
])
const failing = await log.health()
const headsAfter = await heads()
const after = await log.append([
  ...testEvents('after', 10),
  testEvent('before-0', { key: 'key-0' }),
])
const doneUnit = await store.commit(unit)
const well = await log.health()
const found = {
  before: before.map(resultCode),
  failed: failed.map(resultCode),
  after: after.map(resultCode),
  units: [failedUnit.status, doneUnit.status],
  health: [failing.status, well.status],
  detail: failing.detail,
  heads: [headsBefore, headsAfter],
}
await log.close()
await store.close()
process.stdout.write(`${JSON.stringify(found)}\n`)
