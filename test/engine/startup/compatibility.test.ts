// Compatibility checks of contracts with stored messages at start.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { App, Service } from 'throughline'
import { command, contract, entity, event, Fault, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { readStoredMessages } from '../../../src/engine/startup/compatibility.ts'
import { anySchema, createSimulation } from '../support/simulation.ts'
import { engine, NewAmount, OldAmount, createVersionedStore } from '../support/code-versions.ts'

const id = z.string()

describe('a contract that is incompatible with stored messages', () => {
  const tills = (paid: z.ZodType<{ id: string }>, pay: z.ZodType<{ id: string }> = OldAmount) => {
    const Till = contract('till', { key: 'id' }, { Pay: command(pay), Paid: event(paid) })
    const money = entity(
      'money',
      { of: Till, id: 'id', initial: 0 },
      {
        decide: (on) => [on(Till.Pay, (pay) => Till.Paid(pay as never))],
        evolve: (on) => [on(Till.Paid, (_, sum) => sum)],
      },
    )
    return service('tills', { owns: [Till], runs: [money] })
  }
  const nothing = async (): Promise<void> => undefined

  test('is refused with all issues, and changes or starts nothing', async () => {
    const { stage, run } = createVersionedStore()
    await run(tills(OldAmount), nothing)
    const before = await stage.clock.until(readStoredMessages(stage.backend.store))
    const other = z.object({ id: z.int(), note: z.string() }) as never
    await assert.rejects(run(tills(NewAmount as never, other), nothing), (fault) => {
      assert.ok(fault instanceof Fault)
      assert.equal(fault.code, 'CONTRACT_INCOMPATIBLE')
      assert.deepEqual(
        fault.issues.map(({ path, message }) => `${path}: ${message}`),
        [
          'till.Pay, note: is new, and must be there now',
          'till.Pay, id: was text, and is a whole number now',
          'till.Pay, total: was always there, and is gone',
          'till.Paid, currency: is new, and must be there now',
          'till.Paid, totalCents: is new, and must be there now',
          'till.Paid, total: was always there, and is gone',
        ],
      )
      return true
    })
    assert.deepEqual(await stage.clock.until(readStoredMessages(stage.backend.store)), before)
    await run(tills(OldAmount), nothing)
  })

  test('is compared with every stored schema, including intermediate ones', async () => {
    const { run } = createVersionedStore()
    await run(tills(z.object({ id, note: z.string().optional() })), nothing)
    await run(tills(z.object({ id })), nothing)
    await assert.rejects(
      run(tills(z.object({ id, note: z.number().optional() })), nothing),
      /till\.Paid, note: was text, and is a number now/,
    )
    await run(tills(z.object({ id, note: z.unknown().optional() })), nothing)
    await assert.rejects(run(tills(z.object({ id, note: z.string().optional() })), nothing))
  })

  test('is refused if its schema of an earlier version differs from what was stored', async () => {
    const { run } = createVersionedStore()
    await run(tills(OldAmount), nothing)
    const Wrong = z.object({ id, sum: z.number() })
    const was = [[Wrong, () => ({ id: '', totalCents: 1 })]] as const
    const Till = contract(
      'till',
      { key: 'id' },
      { Pay: command(OldAmount), Paid: event(NewAmount, { upcasters: was }) },
    )
    const money = entity(
      'money',
      { of: Till, id: 'id', initial: 0 },
      {
        decide: (on) => [on(Till.Pay, (pay) => Till.Paid(pay as never))],
        evolve: (on) => [on(Till.Paid, (_, sum) => sum)],
      },
    )
    await assert.rejects(
      run(service('tills', { owns: [Till], runs: [money] }), nothing),
      /till\.Paid version 1, total: was always there, and is gone/,
    )
  })

  test('is refused if an event becomes a command', async () => {
    const { run } = createVersionedStore()
    await run(tills(OldAmount), nothing)
    const Till = contract('till', { key: 'id' }, { Pay: event(OldAmount), Paid: event(OldAmount) })
    await assert.rejects(
      run(service('tills', { owns: [Till], runs: [] }), nothing),
      /till\.Pay: was a command and is now an event/,
    )
  })

  test('starts if the schema cannot be exported as JSON Schema', async () => {
    const { stage, run } = createVersionedStore()
    await run(tills(anySchema<{ id: string }>() as never), nothing)
    await run(tills(OldAmount), nothing)
    await run(tills(anySchema<{ id: string }>() as never), nothing)
    const stored = await stage.clock.until(readStoredMessages(stage.backend.store))
    const paid = stored.find(({ wire }) => wire === 'till.Paid')
    assert.deepEqual(
      paid?.schemas.map(({ schema }) => schema?.['type'] ?? null),
      [null, 'object'],
    )
    await assert.rejects(run(tills(NewAmount as never), nothing), /CONTRACT_INCOMPATIBLE/)
  })

  test('is stored once, over any number of starts and changes of descriptions', async () => {
    const { stage, run } = createVersionedStore()
    await run(tills(OldAmount), nothing)
    const before = await stage.clock.until(readStoredMessages(stage.backend.store))
    await run(tills(OldAmount.describe('what was paid')), nothing)
    await run(tills(z.object({ total: z.number().meta({ title: 'T' }), id })), nothing)
    assert.deepEqual(await stage.clock.until(readStoredMessages(stage.backend.store)), before)
    assert.deepEqual(
      before.map(({ wire, kind, schemas }) => [wire, kind, schemas.length]),
      [
        ['till.Paid', 'event', 1],
        ['till.Pay', 'command', 1],
      ],
    )
  })

  test('is refused in one of two instances that start at the same time', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const stage = createSimulation(memory, seed)
      const launch = (running: Service): Promise<App> => {
        const { backend, clock, random } = stage.instance()
        return start([running], backend, { clock, random, engine })
      }
      const outcomes = await stage.clock.until(
        Promise.allSettled([launch(tills(OldAmount)), launch(tills(NewAmount as never))]),
      )
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
      for (const outcome of outcomes)
        if (outcome.status === 'fulfilled') await stage.clock.until(outcome.value.stop())
        else assert.match(String(outcome.reason), /CONTRACT_INCOMPATIBLE/)
    }
  })
})
