import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { client, gateway } from 'throughline/gateway'
import {
  headerOfKey,
  KEY_HEADER_PATTERN,
  keyFrom,
} from '../../src/gateway/routing/idempotency-key.ts'
import { runs } from '../extent.ts'
import { Ordering, Payment } from './contracts.ts'
import type * as contracts from './contracts.ts'
import { openShop, openTill, placed, post } from './system.ts'

const quoted = (key: string): string => `"${key.replaceAll(/["\\]/g, String.raw`\$&`)}"`
const keys = fc.stringMatching(/^[!-~]{1,128}$/)

describe('an idempotency key', () => {
  test('is the same quoted and bare', async () => {
    await using shop = await openShop()
    const send = (key: string): Promise<Response> =>
      post(`${shop.origin}/messages/ordering/PlaceOrder`, placed('o-1'), { 'idempotency-key': key })
    const bare = await send('k-1')
    assert.equal(bare.headers.get('idempotency-replayed'), null)
    for (const header of ['"k-1"', '"k-1";a=1', '"k-1" ; a']) {
      const again = await send(header)
      assert.equal(again.headers.get('idempotency-replayed'), 'true', header)
      assert.equal(again.headers.get('location'), bare.headers.get('location'))
    }
    const escaped = await send(String.raw`"a\"b\\c"`)
    assert.match(decodeURIComponent(escaped.headers.get('location') ?? ''), /:a"b\\c$/)
  })

  test('that is empty or half quoted is refused', async () => {
    await using shop = await openShop()
    const wrong = ['', '""', '"k', '"', '"a"b"', String.raw`"a\b"`, '"a b"', `"${'x'.repeat(129)}"`]
    for (const key of wrong) {
      const url = `${shop.origin}/messages/ordering/PlaceOrder`
      const answer = await post(url, placed('o-1'), { 'idempotency-key': key })
      const { code, issues } = (await answer.json()) as {
        code: string
        issues: readonly { path: string; message: string }[]
      }
      assert.deepEqual([answer.status, code], [400, 'REQUEST_INVALID'], key)
      assert.equal(issues[0]?.path, 'idempotency-key')
      if (key === '' || key === '""') assert.match(issues[0]?.message ?? '', /^is empty/)
    }
  })

  test('survives parsing, quoted or as a client sends it', () => {
    const described = new Ajv2020().compile({ type: 'string', pattern: KEY_HEADER_PATTERN })
    fc.assert(
      fc.property(keys, (key) => {
        for (const header of [quoted(key), headerOfKey(key)]) {
          assert.equal(keyFrom(header), key)
          assert.ok(described(header), header)
        }
        if (!key.startsWith('"')) assert.equal(headerOfKey(key), key)
      }),
      { numRuns: runs(200) },
    )
  })

  test('that contains quotes stays the same through a client and another gateway', async () => {
    await using till = await openTill()
    const remote = [{ contract: Payment, url: till.origin }]
    await using shop = await openShop({ remote, expose: [Ordering, Payment] })
    const { payment } = client<typeof contracts>(shop.origin)
    const idempotencyKey = '"k\\"'
    const operation = await payment.charge(
      { orderId: 'o-1', customerId: 'c-1', cents: 5 },
      { idempotencyKey },
    )
    assert.equal(operation.id, `payment.Charge:${idempotencyKey}`)
  })

  test('is described by the pattern that the gateway accepts', async () => {
    await using shop = await openShop()
    const { paths } = gateway(shop.app, { expose: [Ordering.CloseOrder] }).description()
    const { post: operation = {} } = paths['/messages/ordering/CloseOrder'] ?? {}
    const [parameter] = operation['parameters'] as [{ name: string; schema: object }]
    assert.equal(parameter.name, 'Idempotency-Key')
    assert.deepEqual(parameter.schema, { type: 'string', pattern: KEY_HEADER_PATTERN })
  })
})
