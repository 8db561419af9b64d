// Checks docs/shop.md against the shop.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { App } from 'throughline'
import { start } from 'throughline'
import { fetchHandler, gateway } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { routes } from '../../examples/shop/gateway/routes.ts'
import { readInvoices } from '../../examples/shop/intake/file.ts'
import { stockOnFirstSight } from '../../examples/shop/inventory.ts'
import { paymentLimitCents } from '../../examples/shop/payment.ts'
import { feed } from '../../examples/shop/run/feed.ts'
import { shop } from '../../examples/shop/services.ts'
import { answered, read, stepsIn } from './documents.ts'

const page = read('docs/shop.md')
const excerpt = new URL('../../examples/shop/data/orders.csv', import.meta.url)
let app: App

before(async () => {
  app = await start(shop(stockOnFirstSight), memory())
  const { invoices } = await readInvoices(fileURLToPath(excerpt))
  assert.equal(invoices.length, 494)
  const fed = { sent: 0, repeated: 0 }
  await feed(app, { invoices, fed, elapsed: () => 0, pause: async () => undefined })
  await app.settled()
})
after(() => app.stop())

test('the shop answers the requests as the page shows', async () => {
  const ask = fetchHandler(gateway(app, { routes }))
  let count = 0
  for (const step of stepsIn(page)) {
    if (step.kind === 'other') continue
    const { curl, answer, command } = step
    const response = await ask(new Request(`http://shop${curl.path}`, curl.init))
    assert.deepEqual(await answered(response, answer), answer, command)
    await app.settled()
    count += 1
  }
  assert.equal(count, 15)
})

suite('the tables', () => {
  const names = (text: string): string[] =>
    [...text.matchAll(/`([A-Z_]{5,})`/g)].map(([, name = '']) => name)

  test('list every command with its refusals, and every event', () => {
    const rows = [...page.matchAll(/^\| `([A-Z_]+)` \| (.*) \| (.*) \|$/gm)]
    const messages = app.describe().contracts.flatMap((contract) => contract.messages)
    const refusalOf = (command: string): string | undefined =>
      messages.find(({ name }) => name === `${command}Refused`)?.wire
    const commands = messages.filter(({ kind }) => kind === 'command')
    assert.deepEqual(
      rows.map(([, command, , refused]) => [command, refused]),
      commands.map(({ name, wire, refuses }) => [
        wire,
        refuses.length === 0 ? 'never' : `\`${refusalOf(name)}\`: ${refuses.join(', ')}`,
      ]),
    )
    const events = messages.filter(({ kind }) => kind === 'event').map(({ wire }) => wire)
    const told = new Set(rows.flatMap(([, , told = '']) => names(told)))
    assert.deepEqual([...told].toSorted(), events.toSorted())
  })

  test('list every service with its contracts, entities and sagas', () => {
    for (const { name, owns, runs } of app.describe().services) {
      const [, row = ''] = new RegExp(`^\\| \\[${name}\\](.*)$`, 'm').exec(page) ?? []
      const deciding = runs.filter(({ kind }) => kind === 'entity' || kind === 'saga')
      for (const each of [...owns, ...deciding.map((rule) => rule.name)])
        assert.ok(row.includes(`\`${each}\``), `${name} lacks ${each}`)
    }
  })

  test('state the payment limit', () => {
    assert.match(page, new RegExp(`over £${(paymentLimitCents / 100).toLocaleString('en')} `))
  })
})
