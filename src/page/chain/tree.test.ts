import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import type { EventView } from '../../admin/wire.ts'
import { treeOf } from './tree.ts'

function event(id: string, at: number, cause?: string): EventView {
  const place = { kind: 'event', topic: 'ordering.events', partition: 0, offset: at } as const
  const made = { type: id.toUpperCase(), key: 'c:1', source: 'ordering', correlation: 'a' }
  return { ...place, ...made, id, at, ...(cause === undefined ? {} : { cause }), data: {} }
}

const ids = (events: readonly EventView[]): readonly string[] =>
  treeOf({ events }).rows.map((row) => row.event.id)

suite('rows', () => {
  test('are in order of time', () => {
    assert.deepEqual(ids([event('b', 20, 'a'), event('c', 30, 'b'), event('a', 10)]), [
      'a',
      'b',
      'c',
    ])
  })

  test('never precede their cause, even with wrong clocks', () => {
    assert.deepEqual(ids([event('a', 10), event('b', 5, 'a'), event('c', 3, 'b')]), ['a', 'b', 'c'])
  })

  test('have the time since their cause', () => {
    const { rows, totalMs } = treeOf({ events: [event('a', 100), event('b', 130, 'a')] })
    assert.deepEqual(
      rows.map(({ fromMs, toMs, depth }) => [fromMs, toMs, depth]),
      [
        [0, 0, 0],
        [0, 30, 1],
      ],
    )
    assert.equal(totalMs, 30)
  })

  test('without a known cause are roots', () => {
    const { rows } = treeOf({ events: [event('a', 1), event('b', 2, 'elsewhere')] })
    assert.equal(rows[1]?.cause, undefined)
    assert.equal(rows[1]?.rail.hasCause, false)
  })

  test('are complete even if causes form a cycle', () => {
    assert.equal(ids([event('a', 1, 'b'), event('b', 2, 'a'), event('c', 3, 'c')]).length, 3)
  })

  test('are empty without events', () => {
    assert.deepEqual(treeOf({ events: [] }), { rows: [], lanes: 1, totalMs: 0 })
  })
})

suite('lanes', () => {
  test('of a linear conversation are one', () => {
    const { rows, lanes } = treeOf({
      events: [event('a', 1), event('b', 2, 'a'), event('c', 3, 'b')],
    })
    assert.equal(lanes, 1)
    assert.deepEqual(
      rows.map(({ rail }) => [rail.lane, rail.hasCause, rail.continues]),
      [
        [0, false, true],
        [0, true, true],
        [0, true, false],
      ],
    )
  })

  test('keep the branch that ends last straight, and give another branch its own lane', () => {
    const { rows, lanes } = treeOf({
      events: [
        event('a', 1),
        event('left', 2, 'a'),
        event('right', 3, 'a'),
        event('left2', 4, 'left'),
        event('right2', 9, 'right'),
      ],
    })
    assert.equal(lanes, 2)
    const railOf = (id: string) => rows.find((row) => row.event.id === id)?.rail
    assert.deepEqual(railOf('a')?.branches, [1])
    assert.equal(railOf('left')?.lane, 1)
    assert.equal(railOf('left2')?.lane, 1)
    assert.deepEqual(railOf('left')?.passing, [0])
    assert.equal(railOf('right2')?.lane, 0)
  })

  test('of any tree connect each event with its cause', () => {
    const parents = fc.array(fc.nat(), { maxLength: 30 })
    fc.assert(
      fc.property(parents, (seeds) => {
        const events = seeds.map((seed, index) =>
          event(`e${index}`, index, index === 0 ? undefined : `e${seed % index}`),
        )
        const open = new Set<number>()
        for (const { rail } of treeOf({ events }).rows) {
          assert.equal(open.delete(rail.lane), rail.hasCause)
          assert.deepEqual(
            [...open].toSorted((a, b) => a - b),
            rail.passing,
          )
          for (const lane of [...rail.branches, ...(rail.continues ? [rail.lane] : [])]) {
            assert.ok(!open.has(lane))
            open.add(lane)
          }
        }
        assert.equal(open.size, 0)
      }),
    )
  })
})
