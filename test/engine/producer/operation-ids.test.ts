// Ids are unique per topic: the same id in another topic is a separate operation.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { command, contract, entity, event, finish, refuse, saga, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { Backend, CommitResult } from '../../../src/ports/event-store.ts'
import { readChain } from '../../../src/control/read-topic.ts'
import { systemOf } from '../../../src/runtime/running-system.ts'
import { testClock, sharedBackend } from '../support/simulation.ts'

const Data = z.object({ id: z.string(), note: z.string().optional() })
const Orders = contract('orders', { key: 'id' }, { Place: command(Data), Placed: event(Data) })
const Bills = contract(
  'bills',
  { key: 'id' },
  { Open: command(Data, { refuses: ['no'] }), Opened: event(Data) },
)
const order = entity(
  'order',
  { of: Orders, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Orders.Place, (asked) => Orders.Placed(asked))],
    evolve: (on) => [on(Orders.Placed, (_, count) => count + 1)],
  },
)
const bill = entity(
  'bill',
  { of: Bills, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Bills.Open, (asked) => (asked.note === 'refuse' ? refuse('no') : Bills.Opened(asked))),
    ],
    evolve: (on) => [on(Bills.Opened, (_, count) => count + 1)],
  },
)
const failing = saga('failing', { by: 'id', initial: {}, sends: [] }, (on) => [
  on(Orders.Placed, () => finish({ status: 'rolled-back', reason: 'out of stock' })),
])
const shop = service('shop', { owns: [Orders, Bills], runs: [order, bill, failing] })

/** Starts on a backend that outlives the app, as one on disk does. */
const on = (backend: Backend): Promise<App> =>
  start(
    [shop],
    sharedBackend(backend, (_, call) => call()),
  )

suite('the same id in two contracts of one service', () => {
  for (const isRestarted of [false, true])
    test(`is two operations with separate results${isRestarted ? ', after a restart' : ''}`, async () => {
      const backend = memory()
      await backend.log.open()
      let app = await on(backend)
      const first = await (await app.send(Orders.Place({ id: 'a' }), { id: 'order-42' })).settled()
      if (isRestarted) {
        await app.stop()
        app = await on(backend)
      }
      const bad = { id: 'a', note: 'refuse' }
      const refused = await (await app.send(Bills.Open(bad), { id: 'order-42' })).settled()
      assert.deepEqual(refused, { status: 'refused', code: 'no', issues: [] })
      assert.deepEqual(first, { status: 'rolled-back', reason: 'out of stock' })
      assert.deepEqual(await app.operation(Orders.Place, 'order-42').settled(), first)
      await app.settled()
      await app.stop()
    })

  test('is two conversations: each command gets the outcome of its own saga', async () => {
    const app = await start([shop], memory())
    const placed = await app.send(Orders.Place({ id: 'a' }), { id: 'x' })
    assert.equal((await placed.settled()).status, 'rolled-back')
    const opened = await app.send(Bills.Open({ id: 'a' }), { id: 'x' })
    assert.deepEqual(await opened.settled(), { status: 'completed' })
    await app.stop()
  })
})

test('the chain of a message excludes a conversation with the same id in another topic', async () => {
  const app = await start([shop], memory())
  const placed = await app.send(Orders.Place({ id: 'a' }), { id: 'x' })
  await placed.settled()
  const opened = await app.send(Bills.Open({ id: 'a', note: 'refuse' }), { id: 'x' })
  await opened.settled()
  const { log } = systemOf(app).backend
  const from = await log.ends(['orders.events', 'bills.events'])
  const everything = from.map(({ topic, partition }) => ({ topic, partition, next: 0 }))
  const slices = await log.read(everything, { records: 100, bytes: 1e6 }, { ms: 0 })
  const events = slices.flatMap(({ records }) => records)
  for (const [wire, types, is] of [
    ['orders.Placed', ['orders.Place', 'orders.Placed'], 'rolled-back'],
    ['bills.OpenRefused', ['bills.Open', 'bills.OpenRefused'], 'refused'],
  ] as const) {
    const { id = '' } = events.find(({ type }) => type === wire) ?? {}
    const chain = await readChain(systemOf(app), id, 1_000)
    assert.deepEqual(
      chain.events.map(({ type }) => type),
      types,
    )
    assert.equal(chain.operation?.status, is)
  }
  await app.stop()
})

test('an operation is settled although a later message of its key is held', async () => {
  const Line = z.object({ id: z.string(), line: z.string() })
  const Lines = contract('lines', { key: 'id' }, { Add: command(Line), Added: event(Line) })
  const list = entity(
    'list',
    { of: Lines, id: 'id', initial: 0 },
    {
      decide: (on) => [on(Lines.Add, (asked) => Lines.Added(asked))],
      evolve: (on) => [on(Lines.Added, (_, count) => count + 1)],
    },
  )
  const printing = saga('printing', { by: 'line', initial: {}, sends: [] }, (on) => [
    on(Lines.Added, ({ line }) => {
      if (line === 'second') throw new Error('out of ink')
      return finish()
    }),
  ])
  const clock = testClock()
  const printer = service('printer', { owns: [Lines], runs: [list, printing] })
  const options = { clock, onRuleError: () => undefined }
  const app = await clock.until(start([printer], memory({ clock }), options))
  const first = await clock.until(app.send(Lines.Add({ id: 'a', line: 'first' })))
  await clock.advance(2_000)
  const second = await clock.until(app.send(Lines.Add({ id: 'a', line: 'second' })))
  await clock.advance(2_000)
  assert.deepEqual(await clock.until(first.state()), { status: 'completed' })
  assert.deepEqual(await clock.until(second.state()), { status: 'pending', isAccepted: true })
  const { items } = await clock.until(app.operations())
  assert.deepEqual(
    items.map(({ id, state }) => [id, state.status]),
    [
      [second.id, 'pending'],
      [first.id, 'completed'],
    ],
  )
  await clock.until(app.stop())
})

suite('an id that retention has forgotten', () => {
  const Notes = contract(
    'notes',
    { key: 'id', retention: { commands: { ageMs: 1_000 } } },
    { Write: command(Data), Written: event(Data) },
  )

  async function sentTwice(second: z.infer<typeof Data>) {
    const clock = testClock()
    let decided = 0
    const note = entity(
      'note',
      { of: Notes, id: 'id', initial: 0 },
      {
        decide: (on) => [
          on(Notes.Write, (asked) => {
            decided += 1
            return Notes.Written(asked)
          }),
        ],
        evolve: (on) => [on(Notes.Written, (_, count) => count + 1)],
      },
    )
    const notebook = service('notebook', { owns: [Notes], runs: [note] })
    const options = { clock, engine: { retentionCheckMs: 100, cacheBytesMax: 1_048_576 } }
    const app = await clock.until(start([notebook], memory({ clock }), options))
    const send = async (data: z.infer<typeof Data>) => {
      const operation = await clock.until(app.send(Notes.Write(data), { id: 'once' }))
      return { isDuplicate: operation.isDuplicate, ...(await clock.until(operation.settled())) }
    }
    const answers = [await send({ id: 'a' })]
    await clock.advance(10_000)
    answers.push(await send(second))
    const status = await clock.until(app.status())
    await clock.until(app.stop())
    return { answers, decided, status }
  }

  test('takes effect again only if the command differs', async () => {
    const same = await sentTwice({ id: 'a' })
    assert.deepEqual(
      same.answers.map(({ isDuplicate }) => isDuplicate),
      [false, false],
      'it is forgotten',
    )
    assert.deepEqual([same.decided, same.answers[1]?.status], [1, 'completed'])
    const other = await sentTwice({ id: 'a', note: 'another one' })
    assert.deepEqual([other.decided, other.answers[1]?.status], [2, 'completed'])
    for (const { status } of [same, other])
      assert.deepEqual(
        status.map(({ completed, pending, lag }) => [completed, pending, lag]),
        [[2, 0, 0]],
      )
  })
})

test('an operation that was stored by id alone still answers', async () => {
  const backend = memory()
  await backend.log.open()
  const app = await on(backend)
  await app.send(Orders.Place({ id: 'a' }), { id: 'old' })
  await app.settled()
  const table = 'shop.operations'
  const [row] = await backend.store.scan({ table, limit: 10 })
  assert.ok(row)
  // As the version before wrote it.
  const { origin: _, ...body } = JSON.parse(row.body) as { origin: string }
  const answer: CommitResult = await backend.store.commit({
    ...EMPTY_UNIT,
    rows: [
      { table, key: 'old', expected: 0, version: 1, body: JSON.stringify(body) },
      { table, key: row.key, expected: 1, version: 0, body: null },
    ],
  })
  assert.equal(answer.status, 'done')
  assert.deepEqual(await app.operation(Orders.Place, 'old').accepted(), { status: 'accepted' })
  const other = app.operation(Bills.Open, 'old')
  await assert.rejects(other.accepted(), /OPERATION_NOT_FOUND/)
  await app.stop()
})
