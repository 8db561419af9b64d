// An edit of a dead letter changes its data for one consumer, at every later read. The log keeps the
// original.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Fault, contract, event, handler, projection, service, start, tool } from 'throughline'
import type { App } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { createSimulation, findImbalances } from '../support/simulation.ts'

const Payment = z.object({
  account: z.string().max(8),
  cents: z.int().positive(),
  currency: z.string().length(3).default('EUR'),
})
const Bank = contract('bank', { key: 'account', partitions: 2 }, { Paid: event(Payment) })
type Payment = z.infer<typeof Payment>

const REASON = { by: 'ann', reason: 'a digit too many' } as const
const ENOUGH_MS = 5_000
const BAD: Payment = { account: 'a', cents: 999, currency: 'EUR' }
const GOOD: Payment = { account: 'a', cents: 99, currency: 'EUR' }

/** Two consumers of payments; `sums` cannot take 999 cents, and neither can `mail` if told so. */
function createWorld() {
  const stage = createSimulation(memory, 4)
  const { until } = stage.clock
  const mood = { isStrict: true, isMailStrict: false }
  const mailed: Payment[] = []
  const refuse = ({ cents }: Payment): void => {
    if (cents === 999) throw new Error(`too much: ${cents}`)
  }
  const sumsOf = (version: number) =>
    projection(
      'sums',
      { by: 'account', row: tool<readonly number[]>(), version, retry: { attempts: 1 } },
      (on) => [
        on(Bank.Paid, (paid, sums = []) => {
          if (mood.isStrict) refuse(paid)
          return [...sums, paid.cents]
        }),
      ],
    )
  const mail = handler('mail', { retry: { attempts: 1 } }, (on) => [
    on(Bank.Paid, (paid) => {
      if (mood.isMailStrict) refuse(paid)
      mailed.push(paid)
    }),
  ])
  let app: App | undefined
  const running = (): App => app as App
  return {
    stage,
    until,
    mood,
    mailed,
    app: running,
    async launch(version = 1): Promise<void> {
      const { backend, clock, random } = stage.instance()
      const svc = service('svc', { owns: [Bank], runs: [sumsOf(version), mail] })
      const engine = { idleMs: 200, retryDelayMs: 20 }
      const options = { clock, random, engine, onRuleError: () => undefined }
      app = await until(start([svc], backend, options))
    },
    async pay(id: string, paid: Payment = BAD): Promise<void> {
      await until(running().append([Bank.Paid(paid)], { ids: [id] }))
      await stage.clock.advance(ENOUGH_MS)
    },
    edit: (data: unknown, consumer = 'svc/sums', id = 'p1') =>
      until(running().deadLetters.edit({ consumer, id, data, ...REASON })),
    async redrive(): Promise<void> {
      await until(running().deadLetters.redrive(REASON))
      await stage.clock.advance(ENOUGH_MS)
    },
    async letter(consumer = 'svc/sums') {
      const { items } = await until(running().deadLetters.list({ consumer }))
      return items[0]
    },
    async sums(): Promise<unknown> {
      const key = { table: 'svc.sums', key: 'a' }
      const [row] = await until(stage.backend.store.get([key]))
      return row && JSON.parse(row.body)
    },
    async logged(): Promise<readonly unknown[]> {
      const ends = await until(stage.backend.log.ends(['bank.events']))
      const from = ends.map(({ topic, partition }) => ({ topic, partition, next: 0 }))
      const read = stage.backend.log.read(from, { records: 100, bytes: 1e6 }, { ms: 0 })
      return (await until(read)).flatMap(({ records }) => records.map(({ data }) => data))
    },
    async stop(): Promise<void> {
      assert.deepEqual(findImbalances(await until(running().status())), [])
      await until(running().stop())
    },
  }
}

/** A world in which `p1` has failed at `sums`. */
async function failed() {
  const world = createWorld()
  await world.launch()
  await world.pay('p1')
  return world
}

suite('an edit', () => {
  test('is what the consumer gets, and the log keeps the original', async () => {
    const world = await failed()
    const before = await world.logged()
    await world.edit(GOOD)
    const letter = await world.letter()
    assert.equal(letter?.data, JSON.stringify(GOOD))
    assert.partialDeepStrictEqual(letter.edit, REASON)
    assert.equal(await world.sums(), undefined, 'it is not redriven')
    await world.redrive()
    assert.deepEqual(await world.sums(), [99])
    assert.deepEqual(await world.logged(), before)
    await world.stop()
  })

  test('is applied at its consumer only', async () => {
    const world = createWorld()
    world.mood.isMailStrict = true
    await world.launch()
    await world.pay('p1')
    await world.edit(GOOD)
    assert.equal((await world.letter('svc/mail'))?.data, JSON.stringify(BAD))
    assert.equal((await world.letter('svc/mail'))?.edit, undefined)
    world.mood.isMailStrict = false
    await world.redrive()
    assert.deepEqual(world.mailed, [BAD])
    assert.deepEqual(await world.sums(), [99])
    await world.stop()
  })

  test('takes the values that the schema makes of it', async () => {
    const world = await failed()
    await world.edit({ account: 'a', cents: 5 })
    assert.equal((await world.letter())?.data, '{"account":"a","cents":5,"currency":"EUR"}')
    await world.stop()
  })

  test('may be made again before the redrive: the last one counts', async () => {
    const world = await failed()
    await world.edit(GOOD)
    await world.edit({ ...GOOD, cents: 7 })
    await world.redrive()
    assert.deepEqual(await world.sums(), [7])
    await world.stop()
  })

  test('is kept over a restart, before and after its redrive', async () => {
    const world = await failed()
    await world.edit(GOOD)
    await world.stop()
    await world.launch()
    await world.stage.clock.advance(ENOUGH_MS)
    assert.equal((await world.letter())?.data, JSON.stringify(GOOD))
    await world.redrive()
    assert.deepEqual(await world.sums(), [99])
    await world.stop()
  })

  test('is applied again by a rebuild', async () => {
    const world = await failed()
    await world.edit(GOOD)
    await world.redrive()
    await world.pay('p2', { ...GOOD, cents: 1 })
    await world.until(world.app().rebuild('svc/sums'))
    assert.deepEqual(await world.sums(), [99, 1])
    await world.stop()
    await world.launch(2)
    await world.stage.clock.advance(60_000)
    assert.deepEqual(await world.sums(), [99, 1], 'also by one that a higher version asks for')
    await world.stop()
  })

  test('that is undone leaves the original', async () => {
    const world = await failed()
    await world.edit(GOOD)
    const undone = { consumer: 'svc/sums', id: 'p1' }
    await world.until(world.app().deadLetters.undoEdit(undone))
    const letter = await world.letter()
    assert.deepEqual([letter?.data, letter?.edit], [JSON.stringify(BAD), undefined])
    await world.redrive()
    assert.equal((await world.letter())?.event.id, 'p1', 'it has failed again')
    world.mood.isStrict = false
    await world.redrive()
    assert.deepEqual(await world.sums(), [999])
    await world.stop()
  })

  test('that fails again can be edited again', async () => {
    const world = await failed()
    await world.edit({ ...BAD, currency: 'CHF' })
    await world.redrive()
    assert.equal((await world.letter())?.data, JSON.stringify({ ...BAD, currency: 'CHF' }))
    await world.edit(GOOD)
    await world.redrive()
    assert.deepEqual(await world.sums(), [99])
    await world.stop()
  })
})

suite('an edit is refused', () => {
  const issuesOf = async (data: unknown): Promise<readonly string[]> => {
    const world = await failed()
    const fault: unknown = await world.edit(data).then(
      () => assert.fail('it was accepted'),
      (cause: unknown) => cause,
    )
    assert.ok(fault instanceof Fault && fault.code === 'MESSAGE_INVALID', String(fault))
    assert.equal((await world.letter())?.data, JSON.stringify(BAD), 'nothing has changed')
    await world.stop()
    return fault.issues.map(({ path }) => path)
  }

  test('with all issues of its data', async () => {
    const data = { account: 'a', cents: -1, currency: 'euro' }
    assert.deepEqual((await issuesOf(data)).toSorted(), ['cents', 'currency'])
    assert.deepEqual((await issuesOf({})).toSorted(), ['account', 'cents'])
    assert.equal((await issuesOf('text')).length, 1)
    assert.equal((await issuesOf(null)).length, 1)
  })

  test('if it changes the key, by which the order of its consumers goes', async () => {
    assert.deepEqual(await issuesOf({ ...GOOD, account: 'b' }), ['account'])
  })

  test('for a message that is no dead letter there', async () => {
    const world = await failed()
    await world.pay('p2', { ...GOOD, account: 'b' })
    const refused: readonly (readonly [consumer: string, id: string, code: string])[] = [
      ['svc/sums', 'p2', 'MESSAGE_NOT_FOUND'],
      ['svc/sums', 'p9', 'MESSAGE_NOT_FOUND'],
      ['svc/mail', 'p1', 'MESSAGE_NOT_FOUND'],
      ['svc/none', 'p1', 'RULE_NOT_FOUND'],
    ]
    for (const [consumer, id, code] of refused)
      await assert.rejects(world.edit(GOOD, consumer, id), { code }, `${consumer} ${id}`)
    const undo = world.app().deadLetters.undoEdit({ consumer: 'svc/sums', id: 'p2' })
    await assert.rejects(world.until(undo), { code: 'MESSAGE_NOT_FOUND' })
    await world.stop()
  })

  test('once its message was redriven and handled', async () => {
    const world = await failed()
    await world.edit(GOOD)
    await world.redrive()
    await assert.rejects(world.edit(GOOD), { code: 'MESSAGE_NOT_FOUND' })
    await world.stop()
  })
})

suite('a rebuild', () => {
  test('does not read what was discarded', async () => {
    const world = await failed()
    await world.until(world.app().deadLetters.discard(REASON))
    await world.pay('p2', { ...GOOD, cents: 1 })
    world.mood.isStrict = false
    await world.until(world.app().rebuild('svc/sums'))
    assert.deepEqual(await world.sums(), [1])
    await world.stop()
  })
})
