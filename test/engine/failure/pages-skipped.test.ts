// A rewind moves a handler past events of a key that has pages.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFailingConsumer } from '../support/failing-consumer.ts'

test('pages that are rewound over are handled in their order, each at least once', async () => {
  const world = createFailingConsumer({
    failure: { retry: { attempts: 2 }, redrive: { onDeploy: false } },
  })
  await world.launch()
  world.fail('a 0')
  const names = Array.from({ length: 700 }, (_, n) => `a ${n}`)
  for (let at = 0; at < 700; at += 150) await world.append(...names.slice(at, at + 150))
  await world.advance(60_000)
  await world.rewind()
  await world.advance(60_000)
  world.heal()
  await world.redrive()
  await world.advance(60_000)
  assert.deepEqual([...new Set(world.handled)], names)
  const { pending, dead } = await world.counts()
  assert.deepEqual([pending, dead], [0, 0])
  for (const table of ['svc.held', 'svc.held-pages', 'svc.holds'])
    assert.deepEqual(await world.until(world.store.scan({ table, limit: 10 })), [])
  await world.stop()
})

test('a discarded front has the page behind it go on', async () => {
  const world = createFailingConsumer({
    failure: { retry: { attempts: 1 }, redrive: { onDeploy: false } },
  })
  await world.launch()
  const names = Array.from({ length: 700 }, (_, n) => `a ${n}`)
  for (const name of names.slice(0, 256)) world.fail(name)
  world.fail('a 300')
  for (let at = 0; at < 700; at += 150) await world.append(...names.slice(at, at + 150))
  await world.advance(60_000)
  for (let at = 0; at < 257; at += 1) {
    assert.equal((await world.discard()).done, 1)
    await world.advance(1_000)
  }
  await world.advance(60_000)
  assert.deepEqual(
    world.handled,
    names.slice(256).filter((name) => name !== 'a 300'),
  )
  const { completed, discarded, pending, dead } = await world.counts()
  assert.deepEqual([completed, discarded, pending, dead], [443, 257, 0, 0])
  await world.stop()
})
