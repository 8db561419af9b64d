// What services keep while exchanges are open, as a view of the ledger.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { WorkingDataRow } from '../../src/control/ledger/ledger.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { ListPage } from '../../src/engine/listing/index.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { Asking, talking } from './talking-services.ts'

test('working data has commands without a result, page by page, and no events', async () => {
  await using app = await start(talking, memory())
  const system = systemOf(app)
  const read = async (given: object): Promise<ListPage<WorkingDataRow>> =>
    (await runVerb(system, 'ledger', { view: 'working_data', ...given })) as never
  await runVerb(system, 'pause', { service: 'asker' })
  for (const id of ['a', 'b', 'c']) await app.send(Asking.Ask({ id }), { id: `ask-${id}` })
  const { items, next } = await read({})
  assert.equal(next, undefined)
  assert.deepEqual(
    items.map(({ kind, service, key, operation, body }) => [kind, service, key, operation, body]),
    ['c', 'b', 'a'].map((id) => ['operation', 'asker', id, `ask-${id}`, `{"id":"${id}"}`]),
  )
  const pages: WorkingDataRow[] = []
  for (let after: object | undefined = {}; after;) {
    const page = await read({ limit: 1, ...after })
    pages.push(...page.items)
    after = page.next === undefined ? undefined : { after: page.next }
  }
  assert.deepEqual(pages, items)
  assert.deepEqual((await read({ key: 'b' })).items, items.slice(1, 2))
  assert.deepEqual((await read({ service: 'teller' })).items, [])
  await runVerb(system, 'resume', { service: 'asker' })
  await app.settled()
  assert.deepEqual(await read({}), { items: [] })
})
