// Rules that answer each other forever.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LIMITS, become, command, contract, entity, event, saga, send, service } from 'throughline'
import { simulate } from 'throughline/testing'
import { z } from 'zod'

const Stroke = z.object({ id: z.string(), isEndless: z.boolean() })
const contractOf = <const N extends string>(name: N) =>
  contract(
    name,
    { key: 'id', partitions: 1 },
    { Hit: command(Stroke, { refuses: ['tired'] }), Returned: event(Stroke) },
  )
const Ping = contractOf('ping')
const Pong = contractOf('pong')

/** A service that answers each message of the other one. */
function sideOf(mine: typeof Ping, other: typeof Pong) {
  const ball = entity(
    'ball',
    { of: mine, id: 'id', initial: 0 },
    {
      decide: (on) => [on(mine.Hit, (data) => mine.Returned(data))],
      evolve: (on) => [on(mine.Returned, (_, count) => count + 1)],
    },
  )
  const player = saga('player', { by: 'id', initial: 0, sends: [other.Hit] }, (on) => [
    on(mine.Returned, (data, count) => [
      become(count + 1),
      ...(data.isEndless ? [send(other.Hit(data))] : []),
    ]),
  ])
  return [ball, player] as const
}

test('end with a fault at the hop limit, and block nothing else', async () => {
  const ping = service('ping', { owns: [Ping], runs: sideOf(Ping, Pong as never) })
  const pong = service('pong', { owns: [Pong], runs: sideOf(Pong as never, Ping as never) })
  await using world = await simulate([ping, pong], { seed: 1 })
  await world.send(Ping.Hit({ id: 'for-ever', isEndless: true }))
  await world.advance(60_000)
  // The answer that the last command has failed is no step of the conversation.
  const sent = (await world.messages()).filter(({ topic }) => !topic.endsWith('.replies'))
  const hops = sent.map((message) => message.hops)
  assert.equal(Math.max(...hops), LIMITS.hopsMax)
  assert.equal(hops.length, LIMITS.hopsMax + 1)
  const [fault] = world.faults()
  assert.match(fault?.error ?? '', /RULE_RETURNED.* takes over 256 hops/)
  assert.equal(fault?.key, 'for-ever')

  // One partition has them all: other keys still flow, at both sides.
  for (const side of [Ping, Pong]) {
    const operation = await world.send(side.Hit({ id: 'once', isEndless: false }))
    assert.deepEqual(await world.until(operation.accepted()), { status: 'accepted' })
  }
  const status = await world.status()
  assert.equal(
    status.reduce((sum, { dead, pending }) => sum + dead + pending, 0),
    1,
    'the last message alone is held',
  )
})
