import assert from 'node:assert/strict'
import { test } from 'node:test'
import { beadsOf } from './beads.ts'
import type { Point } from './layout.ts'

const p = (x: number, y: number): Point => ({ x, y })
const long = [p(0, 0), p(50, 0), p(50, 200), p(300, 200)]

test('a single line has beads along its whole length', () => {
  const beads = beadsOf([{ id: 'a', carries: 'events' }], new Map([['a', long]]))
  assert.deepEqual(beads.get('a'), long)
})

test('a line that branches off has beads after the bend', () => {
  const branch = [p(0, 0), p(50, 0), p(50, 100), p(200, 100)]
  const lines = new Map([
    ['a', long],
    ['b', branch],
  ])
  const edges = ['a', 'b'].map((id) => ({ id, carries: 'commands' }) as const)
  assert.deepEqual(beadsOf(edges, lines).get('b'), [p(50, 89), p(50, 100), p(200, 100)])
})

test('a line that joins has beads up to the bend', () => {
  const joining = [p(10, 120), p(50, 120), p(50, 200), p(300, 200)]
  const lines = new Map([
    ['a', long],
    ['b', joining],
  ])
  const edges = ['a', 'b'].map((id) => ({ id, carries: 'events' }) as const)
  assert.deepEqual(beadsOf(edges, lines).get('b'), [p(10, 120), p(50, 120), p(50, 131)])
})

test('lines of the other direction or another kind do not cover a line', () => {
  const back = long.toReversed()
  const lines = new Map([
    ['a', long],
    ['b', back],
    ['c', long],
  ])
  const edges = [
    { id: 'a', carries: 'events' },
    { id: 'b', carries: 'events' },
    { id: 'c', carries: 'replies' },
  ] as const
  assert.deepEqual([...beadsOf(edges, lines).values()], [long, back, long])
})

test('two equal lines have beads once', () => {
  const lines = new Map([
    ['a', long],
    ['b', long],
  ])
  const edges = ['a', 'b'].map((id) => ({ id, carries: 'events' }) as const)
  assert.deepEqual(beadsOf(edges, lines).get('b'), [])
})
