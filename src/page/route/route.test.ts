import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route } from './route.ts'
import { fragmentOf, routeOf, tokenOf } from './route.ts'

test('a route survives formatting and parsing', () => {
  const routes: readonly Route[] = [
    { kind: 'overview' },
    { kind: 'service', name: 'ordering' },
    { kind: 'topic', name: 'payment.events', filter: {} },
    { kind: 'topic', name: 'a.events', filter: { key: 'a/b?c=d&e', partition: '3' } },
    { kind: 'find', text: 'c:1?' },
    { kind: 'list', name: 'ledger', filter: { status: 'FAILED', view: 'inbound' } },
    { kind: 'list', name: 'held', filter: {} },
    { kind: 'list', name: 'dead', filter: { cause: 'a1', consumer: 'post/mail' } },
    { kind: 'list', name: 'operations', filter: { state: 'pending', type: 'x.Y' } },
    { kind: 'event', id: 'a/b #1 %' },
  ]
  for (const route of routes) assert.deepEqual(routeOf(fragmentOf(route)), route)
})

test('an unknown fragment is the overview', () => {
  for (const fragment of ['', '#', '#/', '#/event/', '#/orders/1', '#token=x', '#/event/%E0%A4%A'])
    assert.deepEqual(routeOf(fragment), { kind: 'overview' }, fragment)
})

test('a token is read from the fragment only', () => {
  assert.equal(tokenOf('#token=abc-123'), 'abc-123')
  assert.equal(tokenOf('#token='), undefined)
  assert.equal(tokenOf('#/event/token'), undefined)
})
