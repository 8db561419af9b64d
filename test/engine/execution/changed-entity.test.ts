// Changed evolve rules: which changes count, and how unchanged states are reported.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entity, Service } from 'throughline'
import { command, contract, entity, event, query, queryHandler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { rulesOfEntity } from '../../../src/engine/plan/rule-fingerprint.ts'
import { intercept } from '../../../src/ports/intercept.ts'
import { anySchema } from '../support/simulation.ts'

interface Add {
  readonly jar: string
  readonly beans: number
}
const Jars = contract(
  'jars',
  { key: 'jar' },
  {
    Fill: command(anySchema<Add>()),
    Filled: event(anySchema<Add>()),
    All: query(anySchema<object>(), { answers: anySchema<unknown>() }),
  },
)
type Evolve = (data: Add, beans: number) => number

function jarOf(evolve: Evolve): Entity<'jar', number> {
  return entity(
    'jar',
    { of: Jars, id: 'jar', initial: 0 },
    {
      decide: (on) => [on(Jars.Fill, (data) => Jars.Filled(data))],
      evolve: (on) => [on(Jars.Filled, evolve)],
    },
  )
}

function pantryOf(evolve: Evolve): Service {
  const jar = jarOf(evolve)
  const reading = queryHandler('reading', { of: Jars, reads: [jar] }, (on) => [
    on(Jars.All, async (_, read) => (await read(jar).find()).rows.map(({ row }) => row)),
  ])
  return service('pantry', { owns: [Jars], runs: [jar, reading] })
}

test('states that are folded again are counted, and so are those that stayed the same', async () => {
  const { log, store } = intercept(memory(), (_, run) => run())
  const close = async (): Promise<void> => undefined
  const backend = { log: { ...log, close }, store: { ...store, close } }
  const refolds = async (evolve: Evolve) => {
    await using app = await start([pantryOf(evolve)], backend)
    await app.ask(Jars.All({}))
    await app.ask(Jars.All({}))
    return (await app.health()).refolds
  }
  const sum: Evolve = ({ beans }, before) => before + beans
  {
    await using app = await start([pantryOf(sum)], backend)
    for (const jar of ['a', 'b', 'c']) await app.send(Jars.Fill({ jar, beans: 10 }))
    await app.settled()
  }
  assert.deepEqual(await refolds(sum), [])
  assert.deepEqual(await refolds(({ beans }, before) => beans + before), [
    { entity: 'pantry/jar', states: 3, unchanged: 3 },
  ])
  assert.deepEqual(await refolds((_, before) => before + 1), [
    { entity: 'pantry/jar', states: 3, unchanged: 0 },
  ])
})

test('a comment and a different layout do not count as a change of the rules', () => {
  const [written, laidOut, changed] = [
    jarOf(({ beans }, before) => before + beans),
    // oxfmt-ignore
    jarOf(({ beans },
        before) => /* the sum */ before
      + beans),
    jarOf(({ beans }, before) => before - beans),
  ].map((each) => rulesOfEntity(each as Entity))
  assert.equal(laidOut, written)
  assert.notEqual(changed, written)
})
