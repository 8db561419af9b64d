import assert from 'node:assert/strict'
import type { Backend } from '../event-store.ts'
import { STATUSES, isStatusChange } from '../status.ts'
import { CARTS, declareCarts, testAdvance } from './commit-cases.ts'
import type { StoreCase } from './fixtures.ts'
import { commitDone, readAll, reopenTrial, testEvents, testRow, testUnit } from './fixtures.ts'
import { bringTo, changeStatuses, readStatuses, statusOf, testStatus } from './status-fixtures.ts'

/** Checks that a unit changed nothing beside the statuses that were there. */
async function assertOnly(
  { log, store }: Backend,
  statuses: readonly ReturnType<typeof statusOf>[],
): Promise<void> {
  assert.deepEqual(await readStatuses(store), statuses)
  assert.deepEqual(await store.get([{ table: CARTS, key: 'a' }]), [undefined])
  assert.deepEqual(
    (await store.progress(['shop/cart'])).filter(({ next }) => next !== 0),
    [],
  )
  assert.deepEqual(await readAll(log), [])
}

/** The other parts of a unit that changes a status. */
const rest = {
  rows: [testRow(CARTS, 'a')],
  progress: [testAdvance(0, 1)],
} as const

/** Changes of statuses in units of work. */
export const statusCases: readonly StoreCase[] = [
  {
    promise: 'A unit that is done has written its statuses, with everything that they say',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const full = testStatus(7, {
        attempts: 3,
        dueAt: 1_700_000_000_500,
        code: 'RULE_TIMEOUT',
        error: 'it took\ntoo long: "é" 😀',
        cause: 'RULE_TIMEOUT shop/cart',
        detail: '{ "stack" : [] }',
        updatedBy: 'shop-1',
        updatedAt: 1_700_000_000_001,
      })
      await commitDone(store, { ...rest, statuses: [full, testStatus(8)] })
      assert.deepEqual(await readStatuses(store), [full, testStatus(8)].map(statusOf))
      const next = testStatus(7, { from: 'ERROR', status: 'RETRY', detail: '{}' })
      await changeStatuses(store, next)
      assert.deepEqual(await readStatuses(store), [next, testStatus(8)].map(statusOf))
      await commitDone(store, {})
      assert.equal((await readStatuses(store)).length, 2)
    },
  },
  {
    promise: 'A unit that is fenced, in conflict or refused changes no status',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await changeStatuses(store, testStatus(0))
      const statuses = [testStatus(0, { from: 'ERROR', status: 'FAILED' }), testStatus(1)]
      const check = { table: CARTS, key: 'b', expected: 4 }
      for (const [status, parts] of [
        ['fenced', { progress: [testAdvance(3, 4)] }],
        ['fenced', { fences: [{ resource: 'p-0', generation: 7 }] }],
        ['conflict', { checks: [check] }],
      ] as const) {
        const answer = await store.commit(testUnit({ ...rest, statuses, ...parts }))
        assert.equal(answer.status, status)
        await assertOnly(backend, [statusOf(testStatus(0))])
      }
      const appends = testEvents('e', 1, { topic: 'nowhere' })
      await assert.rejects(store.commit(testUnit({ ...rest, statuses, appends })))
      await assertOnly(backend, [statusOf(testStatus(0))])
    },
  },
  {
    promise:
      'Every change of a status that is allowed is done; any other is refused and changes nothing',
    async run({ backend }) {
      const store = await declareCarts(backend)
      let offset = 0
      for (const from of STATUSES)
        for (const status of STATUSES) {
          offset += 1
          await bringTo(store, from, offset)
          const before = await readStatuses(store)
          const change = testStatus(offset, { from, status, attempts: 9 })
          const unit = testUnit({ rows: [testRow(CARTS, `${from} ${status}`)], statuses: [change] })
          if (isStatusChange(from, status)) {
            assert.equal((await store.commit(unit)).status, 'done', `${from} to ${status}`)
            assert.deepEqual(
              (await readStatuses(store)).find((each) => each.offset === offset),
              statusOf(change),
            )
            continue
          }
          await assert.rejects(
            store.commit(unit),
            { code: 'STATUS_REFUSED' },
            `${from} to ${status}`,
          )
          assert.deepEqual(await readStatuses(store), before, `${from} to ${status}`)
          const [row] = await store.get([{ table: CARTS, key: `${from} ${status}` }])
          assert.equal(row, undefined, 'nothing else was written either')
        }
    },
  },
  {
    promise: 'A change that does not begin at the stored status is a conflict and changes nothing',
    async run({ backend }) {
      const store = await declareCarts(backend)
      for (const stored of STATUSES)
        for (const from of STATUSES) {
          // A completed event may begin again.
          if (stored === from || (stored === 'COMPLETED' && from === 'UNPROCESSED')) continue
          const offset = STATUSES.indexOf(stored) * 10 + STATUSES.indexOf(from)
          await bringTo(store, stored, offset)
          const before = await readStatuses(store)
          const statuses = [testStatus(900), testStatus(offset, { from, status: 'IN_PROGRESS' })]
          const answer = await store.commit(testUnit({ ...rest, statuses }))
          assert.deepEqual(answer, { status: 'conflict', rows: [] }, `${from}, but ${stored}`)
          await assertOnly(backend, before)
        }
    },
  },
  {
    promise: 'A settled event may begin again, and a discarded one changes in no other way',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await bringTo(store, 'COMPLETED', 0)
      await bringTo(store, 'FAILED', 1)
      const discarded = { from: 'FAILED', status: 'FAILED', resolution: 'DISCARDED' } as const
      await changeStatuses(store, testStatus(1, discarded))
      const before = await readStatuses(store)
      for (const status of ['FAILED', 'UNPROCESSED'] as const) {
        const late = testUnit({ ...rest, statuses: [testStatus(1, { from: 'FAILED', status })] })
        assert.deepEqual(await store.commit(late), { status: 'conflict', rows: [] }, status)
        await assertOnly(backend, before)
      }
      const again = [0, 1].map((offset) => testStatus(offset, { status: 'ERROR', attempts: 1 }))
      await changeStatuses(store, ...again)
      assert.deepEqual(await readStatuses(store), again.map(statusOf))
      await changeStatuses(store, testStatus(1, { from: 'ERROR', status: 'FAILED' }))
    },
  },
  {
    promise: 'Of units that race to change a status exactly one is done, the others conflict',
    async run({ backend }) {
      const store = await declareCarts(backend)
      await bringTo(store, 'FAILED', 0)
      const units = Array.from({ length: 6 }, (_, at) =>
        testUnit({
          statuses: [
            testStatus(0, { from: 'FAILED', status: 'UNPROCESSED', updatedBy: `operator-${at}` }),
          ],
        }),
      )
      const answers = await Promise.all(units.map((unit) => store.commit(unit)))
      assert.equal(answers.filter(({ status }) => status === 'done').length, 1)
      assert.equal(answers.filter(({ status }) => status === 'conflict').length, 5)
      const winner = answers.findIndex(({ status }) => status === 'done')
      assert.equal((await readStatuses(store))[0]?.updatedBy, `operator-${winner}`)
    },
  },
  {
    promise: 'Each consumer has its own status of an event, and each event of a partition its own',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const others = [
        testStatus(0, { consumer: 'shop/mail', status: 'RETRY' }),
        testStatus(0, { partition: 1, status: 'IN_PROGRESS' }),
        testStatus(0, { topic: 'other.events', status: 'COMPLETED' }),
        testStatus(1, { status: 'UNPROCESSED' }),
      ]
      await changeStatuses(store, testStatus(0), ...others)
      await changeStatuses(store, testStatus(0, { from: 'ERROR', status: 'FAILED' }))
      const found = await readStatuses(store)
      assert.deepEqual(found.map((each) => each.status).toSorted(), [
        'COMPLETED',
        'FAILED',
        'IN_PROGRESS',
        'RETRY',
        'UNPROCESSED',
      ])
      assert.equal(found.find(({ status }) => status === 'FAILED')?.consumer, 'shop/cart')
    },
  },
  {
    promise: 'One unit may change 3,000 statuses',
    async run({ backend }) {
      const store = await declareCarts(backend)
      const statuses = Array.from({ length: 3_000 }, (_, offset) => testStatus(offset))
      await changeStatuses(store, ...statuses)
      const found = await readStatuses(store)
      // One by one: the difference of two long lists takes gigabytes.
      assert.equal(found.length, statuses.length)
      for (const [at, each] of statuses.entries()) assert.deepEqual(found[at], statusOf(each))
    },
  },
  {
    promise: 'Statuses and progress ranges are there for the next instance',
    needs: ({ store }) => store?.ack !== 'memory',
    async run(trial) {
      const store = await declareCarts(trial.backend)
      const range = { by: 'shop', at: 5 }
      await commitDone(store, {
        statuses: [testStatus(3), testStatus(4, { status: 'COMPLETED' })],
        progress: [testAdvance(0, 9, { range })],
      })
      const before = await readStatuses(store)
      const next = await reopenTrial(trial)
      assert.deepEqual(await readStatuses(next.store), before)
      const event = { consumer: 'shop/cart', topic: before[0]?.topic ?? '', partition: 0 }
      assert.deepEqual(await next.store.ranges([{ ...event, offset: 3 }]), [
        { ...event, offset: 0, ...range },
      ])
      const stale = testUnit({ statuses: [testStatus(3)] })
      assert.equal((await next.store.commit(stale)).status, 'conflict')
    },
  },
]
