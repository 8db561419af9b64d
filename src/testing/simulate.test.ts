import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { command, event } from '../contract/message.ts'
import { entity } from '../rules/entity.ts'
import { become } from '../rules/effect.ts'
import { saga } from '../rules/saga.ts'
import { service } from '../rules/service.ts'
import { simulate } from './simulate.ts'

const Data = z.object({ id: z.string() })
const Work = contract(
  'work',
  { key: 'id' },
  { Do: command(Data), Done: event(Data), Break: command(Data) },
)

const work = entity(
  'work',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Work.Do, (data) => Work.Done(data)),
      on(Work.Break, () => {
        throw new Error('out of order')
      }),
    ],
    evolve: (on) => [on(Work.Done, (_, count) => count + 1)],
  },
)

const endless = saga('endless', { by: 'id', initial: 0, sends: [] }, (on) => [
  on(Work.Done, (_, count) => become(count + 1)),
])

test('settled throws and names a saga that never finishes', async () => {
  const worker = service('worker', { owns: [Work], runs: [work, endless] })
  await using world = await simulate([worker], { seed: 1 })
  await world.send(Work.Do({ id: 'w-1' }))
  await assert.rejects(world.settled(), /endless w-1 has not finished/)
  const operation = await world.send(Work.Do({ id: 'w-2' }))
  await assert.rejects(world.until(operation.settled()), /has not settled after 3600000 ms/)
})

test('settled throws and names the consumer whose rule always throws', async () => {
  const worker = service('worker', { owns: [Work], runs: [work] })
  await using world = await simulate([worker], { seed: 1, timeoutMs: 60_000 })
  await world.send(Work.Break({ id: 'w-1' }))
  await assert.rejects(world.settled(), /worker\/work has 0 unread and 1 held/)
})

test('an operation from before a crash is answered by the new instance', async () => {
  const worker = service('worker', { owns: [Work], runs: [work] })
  await using world = await simulate([worker], { seed: 1 })
  const operation = await world.send(Work.Do({ id: 'w-1' }))
  await world.crash('worker')
  assert.deepEqual(await world.until(operation.accepted()), { status: 'accepted' })
  assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
})
