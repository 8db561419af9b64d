import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { LinkView, Overview, TopicView } from '../../admin/wire.ts'
import type { MapEdge } from './graph.ts'
import { ENTRY, graphOf } from './graph.ts'
import type { Box, Point } from './layout.ts'
import { layoutOf } from './layout.ts'
import { labelAt, labelsOf, pathOf } from './line.ts'

const topic = (name: string, appended = 1): TopicView => ({
  name,
  carries: name.split('.').at(-1) as TopicView['carries'],
  partitions: 8,
  appended,
  retained: appended,
})
const reads = (service: string, topic: string): LinkView => ({
  kind: 'reads',
  service,
  topic,
  lag: 0,
  ageMs: 0,
  consumed: 0,
})
const writes = (service: string, topic: string): LinkView => ({ kind: 'writes', service, topic })

const workers = ['payment', 'inventory', 'delivery']
const shop: Overview = {
  at: 0,
  ack: 'disk',
  health: { status: 'well', detail: '', alarms: [] },
  services: ['ordering', ...workers, 'account'].map((name) => ({
    name,
    isPaused: false,
    lag: 0,
    ageMs: 0,
    pending: 0,
    dead: 0,
    discarded: 0,
    completed: 0,
    rules: [],
  })),
  topics: [
    ...['ordering', ...workers].flatMap((name) => [
      topic(`${name}.commands`),
      topic(`${name}.events`),
      topic(`${name}.replies`, name === 'ordering' ? 1 : 0),
    ]),
    ...['account.commands', 'account.events', 'account.replies'].map((name) => topic(name, 0)),
  ],
  links: [
    ...['ordering', ...workers].flatMap((name) => [
      reads(name, `${name}.commands`),
      writes(name, `${name}.events`),
    ]),
    writes('ordering', 'ordering.commands'),
    reads('ordering', 'ordering.events'),
    reads('ordering', 'ordering.replies'),
    ...workers.flatMap((name) => [
      writes('ordering', `${name}.commands`),
      writes(name, 'ordering.replies'),
      reads('ordering', `${name}.events`),
    ]),
    reads('account', 'ordering.events'),
    reads('account', 'payment.events'),
  ],
  boards: [],
}

const graph = graphOf(shop)
const edge = (from: string, to: string): MapEdge | undefined =>
  graph.edges.find((each) => each.from === from && each.to === to)

suite('the graph', () => {
  test('docks commands and replies to their only reader', () => {
    const ordering = graph.services.find(({ name }) => name === 'ordering')
    assert.deepEqual(
      ordering?.docked.map(({ name }) => name),
      ['ordering.commands', 'ordering.replies'],
    )
    assert.deepEqual(
      graph.topics.map(({ name }) => name),
      ['ordering.events', 'payment.events', 'inventory.events', 'delivery.events'],
    )
  })

  test('omits topics that are idle and unread', () => {
    assert.ok(!graph.topics.some(({ name }) => name === 'account.events'))
    const account = graph.services.find(({ name }) => name === 'account')
    assert.deepEqual(account?.docked, [])
  })

  test('has an entry edge for commands that no other service writes', () => {
    assert.ok(graph.hasEntry)
    assert.equal(edge(ENTRY, 'service:ordering')?.inlet, 'ordering.commands')
  })

  test('is directed by commands, with edges that point back as returns', () => {
    assert.equal(edge('service:ordering', 'service:payment')?.isReturn, false)
    assert.equal(edge('topic:payment.events', 'service:account')?.isReturn, false)
    assert.equal(edge('topic:payment.events', 'service:ordering')?.isReturn, true)
    assert.equal(edge('service:payment', 'service:ordering')?.isReturn, true)
    assert.equal(edge('topic:ordering.events', 'service:ordering')?.isReturn, true)
  })

  test('has no cycle without the returns', () => {
    const forward = graph.edges.filter(({ isReturn }) => !isReturn)
    let left = new Set(forward.flatMap(({ from, to }) => [from, to]))
    for (;;) {
      const free = [...left].filter(
        (id) => !forward.some(({ from, to }) => to === id && left.has(from)),
      )
      if (free.length === 0) break
      left = new Set([...left].filter((id) => !free.includes(id)))
    }
    assert.deepEqual([...left], [])
  })
})

suite('the layout', () => {
  const { boxes, lines, width, height } = layoutOf(graph)
  const all = [...boxes.entries()]
  const overlaps = (a: Box, b: Box): boolean =>
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

  test('flows from left to right', () => {
    for (const { from, to, isReturn } of graph.edges)
      if (!isReturn) assert.ok((boxes.get(from)?.x ?? 0) < (boxes.get(to)?.x ?? 0), `${from} ${to}`)
  })

  test('has no overlapping boxes', () => {
    for (const [id, box] of all)
      for (const [other, otherBox] of all)
        if (id < other) assert.ok(!overlaps(box, otherBox), `${id} on ${other}`)
  })

  test('gives every edge a line of horizontal and vertical segments', () => {
    assert.equal(lines.size, graph.edges.length)
    for (const points of lines.values())
      for (const [index, point] of points.slice(1).entries()) {
        const before = points[index] as Point
        assert.ok(before.x === point.x || before.y === point.y)
      }
  })

  test('leads no line through a box', () => {
    for (const [id, points] of lines)
      for (const [index, point] of points.slice(1).entries()) {
        const before = points[index] as Point
        const stretch = {
          x: Math.min(before.x, point.x) + 0.5,
          y: Math.min(before.y, point.y) + 0.5,
          width: Math.abs(before.x - point.x) - 1,
          height: Math.abs(before.y - point.y) - 1,
        }
        for (const [box, place] of all) assert.ok(!overlaps(stretch, place), `${id} crosses ${box}`)
      }
  })

  test('fits a desktop screen: wider than high, and at most 1,300 by 640', () => {
    assert.ok(width > height && width < 1_300 && height < 640, `${width} by ${height}`)
  })

  test('of an empty system is empty', () => {
    const empty = { ...shop, services: [], topics: [], links: [] }
    assert.equal(layoutOf(graphOf(empty)).boxes.size, 0)
  })
})

suite('a line', () => {
  const points = [
    { x: 0, y: 0 },
    { x: 50, y: 0 },
    { x: 50, y: 8 },
    { x: 200, y: 8 },
  ]
  test('is rounded only as far as its segments allow', () => {
    assert.equal(pathOf(points), 'M0 0L46 0Q50 0 50 4L50 4Q50 8 54 8L200 8')
  })

  test('skips a segment without length', () => {
    const [a, b] = points as [Point, Point]
    assert.equal(pathOf([a, a, b, b]), 'M0 0L50 0')
  })

  test('shares its label with lines that have it at the same position', () => {
    const lines = new Map([
      ['a', points],
      ['b', [{ x: 0, y: 30 }, ...points.slice(1)]],
      ['c', points.map(({ x, y }) => ({ x, y: y + 90 }))],
    ])
    const edges = ['a', 'b', 'c'].map((id) => ({ id }))
    const labels = labelsOf(edges, lines)
    assert.deepEqual([...labels.keys()], ['a', 'c'])
    assert.deepEqual(
      labels.get('a')?.edges.map(({ id }) => id),
      ['a', 'b'],
    )
  })

  test('is labelled on its longest segment', () => {
    assert.deepEqual(labelAt(points), { x: 125, y: 8 })
  })
})
