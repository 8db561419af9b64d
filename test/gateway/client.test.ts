// The typed client against a real server.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { command, contract, entity, event, Fault, service, start } from 'throughline'
import { client, gateway, listen, Problem } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { runVerb } from '../../src/control/verbs.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import type * as contracts from './contracts.ts'
import { openShop, placed } from './system.ts'

describe('a client', () => {
  test('sends commands, follows their operations and asks queries', async () => {
    await using shop = await openShop({}, 't0ken')
    const { ordering } = client<typeof contracts>(shop.origin, { token: 't0ken' })
    const operation = await ordering.placeOrder(placed('o-1'), { idempotencyKey: 'k' })
    assert.deepEqual([operation.id, operation.isDuplicate], ['ordering.PlaceOrder:k', false])
    assert.deepEqual(await operation.settled(), { status: 'completed' })
    assert.deepEqual(await operation.state(), { status: 'completed' })
    await shop.app.settled()
    const found = await ordering.findOrder({ orderId: 'o-1' }).catch((cause: unknown) => cause)
    assert.deepEqual(found, { orderId: 'o-1', is: 'open', quantity: 1 })
    assert.deepEqual(await ordering.listOrders({ customerId: 'c-1' }), [{ orderId: 'o-1' }])
    assert.equal(await ordering.findOrder({ orderId: 'none' }), null, 'as its types say')
  })

  test('tells accepted operations from pending ones, and reads its own writes', async () => {
    await using shop = await openShop()
    const { ordering } = client<typeof contracts>(shop.origin)
    await shop.app.pause('ordering')
    const operation = await ordering.placeOrder(placed('o-1', 7))
    assert.deepEqual(await operation.state(), { status: 'pending', isAccepted: false })
    const waiting = Promise.all([operation.accepted(), operation.projected()])
    await shop.app.resume('ordering')
    assert.deepEqual(await waiting, [{ status: 'accepted' }, { status: 'accepted' }])
    assert.deepEqual(await operation.state(), { status: 'pending', isAccepted: true })
    const found = await ordering.findOrder({ orderId: 'o-1' })
    assert.deepEqual(found, { orderId: 'o-1', is: 'open', quantity: 7 })
    const refused = await ordering.placeOrder(placed('o-2', 2_000))
    const no = {
      status: 'refused',
      code: 'too-many',
      issues: [{ path: 'lines', message: 'at most 1,000' }],
    }
    assert.deepEqual([await refused.accepted(), await refused.projected()], [no, no])
  })

  test('returns a refusal with its code', async () => {
    await using shop = await openShop()
    const { ordering } = client<typeof contracts>(shop.origin)
    const settled = await (await ordering.placeOrder(placed('o-1', 2_000))).settled()
    assert.deepEqual(settled, {
      status: 'refused',
      code: 'too-many',
      issues: [{ path: 'lines', message: 'at most 1,000' }],
    })
  })

  test('throws the fault of the gateway, with its issues and the idempotency key', async () => {
    await using shop = await openShop()
    const { ordering } = client<typeof contracts>(shop.origin)
    const bad = { ...placed('o-1'), lines: [] }
    await assert.rejects(ordering.placeOrder(bad), (fault: Fault) => {
      assert.ok(fault instanceof Fault)
      assert.deepEqual([fault.code, fault.issues[0]?.path], ['MESSAGE_INVALID', 'lines'])
      assert.match(fault.ids['idempotencyKey'] ?? '', /^[0-9a-f-]{36}$/)
      return true
    })
    await ordering.placeOrder(placed('o-1'), { idempotencyKey: 'k' })
    const conflict = ordering.placeOrder(placed('o-2'), { idempotencyKey: 'k' })
    await assert.rejects(conflict, { name: 'Fault', code: 'ID_CONFLICT' })
    const again = await ordering.placeOrder(placed('o-1'), { idempotencyKey: 'k' })
    assert.ok(again.isDuplicate)
  })

  test('throws Problem for codes that are not fault codes', async () => {
    await using shop = await openShop({}, 't0ken')
    const { ordering } = client<typeof contracts>(shop.origin, { token: 'wrong' })
    await assert.rejects(ordering.listOrders({ customerId: 'c' }), (thrown: Problem) => {
      assert.ok(thrown instanceof Problem)
      return thrown.code === 'UNAUTHORIZED' && thrown.status === 401
    })
    const lost = client<typeof contracts>('http://127.0.0.1:1').ordering
    await assert.rejects(lost.listOrders({ customerId: 'c' }), {
      name: 'Problem',
      code: 'UNREACHABLE',
    })
    const html = client<typeof contracts>('http://x', { fetch: async () => new Response('<html>') })
    await assert.rejects(html.ordering.listOrders({ customerId: 'c' }), { code: 'UNREADABLE' })
  })

  test('stops waiting when its signal aborts', async () => {
    await using shop = await openShop()
    const { ordering } = client<typeof contracts>(shop.origin)
    const operation = await ordering.placeOrder(placed('o-1', 7))
    const stop = new AbortController()
    const settled = operation.settled({ signal: stop.signal })
    stop.abort(new Error('enough'))
    await assert.rejects(settled, /enough/)
  })

  test('is not mistaken for a promise', async () => {
    const made = client<typeof contracts>('http://x')
    assert.equal(await Promise.resolve(made), made)
    assert.equal(await Promise.resolve(made.ordering), made.ordering)
  })
})

test('a command that has failed is not reported as accepted, and has the code of its error', async (t) => {
  const Till = contract(
    'till',
    { key: 'id' },
    { Pay: command(z.object({ id: z.string() })), Paid: event(z.object({ id: z.string() })) },
  )
  const options = { of: Till, id: 'id', initial: 0 as number, retry: { attempts: 1 } } as const
  const till = entity('till', options, {
    decide: (on) => [
      on(Till.Pay, (data) => {
        if (data.id === 'a')
          throw Object.assign(new Error('the drawer is stuck'), { code: 'DRAWER_STUCK' })
        return Till.Paid(data)
      }),
    ],
    evolve: (on) => [on(Till.Paid, (_, count) => count + 1)],
  })
  const app = await start([service('till', { owns: [Till], runs: [till] })], memory(), {
    onRuleError: () => undefined,
  })
  t.after(() => app.stop())
  const server = await listen([gateway(app, { expose: [Till] })], { port: 0 })
  t.after(() => server.close())
  const operation = await client<{ Till: typeof Till }>(server.url).till.pay({ id: 'a' })
  const failed = { status: 'failed', reason: 'the drawer is stuck', code: 'DRAWER_STUCK' }
  assert.deepEqual(await operation.settled(), failed)
  assert.deepEqual(await operation.state(), failed)
  assert.deepEqual(await operation.accepted(), failed)
  assert.deepEqual(await operation.projected(), failed)
  const { items } = await app.operations({ state: 'failed' })
  assert.deepEqual(
    items.map(({ state }) => state),
    [{ kind: 'failed', ...failed }],
  )
  const chain = await runVerb(systemOf(app), 'chain', { event: operation.id })
  assert.partialDeepStrictEqual(chain, { operation: { kind: 'failed', ...failed } })
})
