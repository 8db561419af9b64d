// The layout of the map, from left to right. Lines run in the channels between columns and in the
// corridors between rows, so that no line crosses a card.
import { Graph, layout as dagreLayout } from '@dagrejs/dagre'
import type { MapEdge, MapGraph, MapService } from './graph.ts'
import { ENTRY, EVENTS_INLET } from './graph.ts'

export interface Point {
  readonly x: number
  readonly y: number
}

/** A box with its upper left corner. */
export interface Box extends Point {
  readonly width: number
  readonly height: number
}

export interface MapLayout {
  readonly boxes: ReadonlyMap<string, Box>
  /** The corners of each line, by edge id. */
  readonly lines: ReadonlyMap<string, readonly Point[]>
  readonly width: number
  readonly height: number
}

export const CARD = { width: 216, headHeight: 46, rowHeight: 27, footHeight: 8 }
export const PILL = { width: 148, height: 34 }
export const ENTRY_BOX = { width: 40, height: 40 }
/** Space between columns for the lines. */
const CHANNEL = 92
const ROW_GAP = 34
/** Distance of the first returning line from its column, and of each further line. */
const RETURN = { first: 14, next: 8 }
const CLEARANCE = 14

interface Column {
  readonly left: number
  readonly right: number
}

interface Plan {
  readonly boxes: ReadonlyMap<string, Box>
  readonly columns: readonly Column[]
  readonly services: ReadonlyMap<string, MapService>
  /** The kinds of messages that each service writes, in the order of its outlets, top down. */
  readonly outlets: ReadonlyMap<string, readonly string[]>
}

/** The inlets of a card, one row each, top down. */
export function inletsOf({ docked, reads }: MapService): readonly string[] {
  return [...docked.map(({ name }) => name), ...(reads.length > 0 ? [EVENTS_INLET] : [])]
}

export function layoutOf(graph: MapGraph): MapLayout {
  const dagre = new Graph({ multigraph: true })
  dagre.setGraph({ rankdir: 'LR', nodesep: ROW_GAP, ranksep: CHANNEL, edgesep: 22 })
  for (const [id, size] of sizesOf(graph)) dagre.setNode(id, { ...size })
  const forward = graph.edges.filter(({ isReturn }) => !isReturn)
  for (const { id, from, to, carries } of forward)
    dagre.setEdge(from, to, { weight: carries === 'commands' ? 3 : 1 }, id)
  dagreLayout(dagre)
  const boxes = new Map(
    dagre.nodes().map((id) => {
      const { x, y, width, height } = dagre.node(id) as Box
      return [id, { x: x - width / 2, y: y - height / 2, width, height }] as const
    }),
  )
  const plan: Plan = {
    boxes,
    columns: columnsOf([...boxes.values()]),
    services: new Map(graph.services.map((service) => [service.id, service])),
    outlets: outletsOf(graph.edges),
  }
  straighten(plan, boxes, graph.edges)
  const bends = new Map(
    forward.map(({ id, from, to }) => {
      const { points } = dagre.edge({ v: from, w: to, name: id }) as { points: readonly Point[] }
      return [id, points[Math.floor(points.length / 2)]?.y ?? 0] as const
    }),
  )
  const lines = new Map([...forwardLines(plan, forward, bends), ...returnLines(plan, graph.edges)])
  return { boxes, lines, ...extentOf(boxes, lines) }
}

function sizesOf({
  services,
  topics,
  hasEntry,
}: MapGraph): readonly [string, Omit<Box, 'x' | 'y'>][] {
  const { width, headHeight, rowHeight, footHeight } = CARD
  const cards = services.map((service): [string, Omit<Box, 'x' | 'y'>] => {
    const rows = Math.max(1, inletsOf(service).length)
    return [service.id, { width, height: headHeight + rows * rowHeight + footHeight }]
  })
  const pills = topics.map(({ id }): [string, Omit<Box, 'x' | 'y'>] => [id, PILL])
  return [
    ...(hasEntry ? [[ENTRY, ENTRY_BOX] as [string, typeof ENTRY_BOX]] : []),
    ...cards,
    ...pills,
  ]
}

function columnsOf(boxes: readonly Box[]): readonly Column[] {
  const byCentre = Map.groupBy(boxes, ({ x, width }) => Math.round(x + width / 2))
  return [...byCentre.values()]
    .map((column) => ({
      left: Math.min(...column.map(({ x }) => x)),
      right: Math.max(...column.map(({ x, width }) => x + width)),
    }))
    .toSorted((a, b) => a.left - b.left)
}

function boxOf({ boxes }: Plan, id: string): Box {
  return boxes.get(id) as Box
}

function columnIndex({ columns }: Plan, box: Box): number {
  const centre = box.x + box.width / 2
  return columns.findIndex(({ left, right }) => centre >= left && centre <= right)
}

function columnAt(plan: Plan, index: number): Column {
  return plan.columns[index] as Column
}

/** The outlets of each card, top down: events, commands, replies. */
function outletsOf(edges: readonly MapEdge[]): ReadonlyMap<string, readonly string[]> {
  const order = ['events', 'commands', 'replies']
  const groups = Map.groupBy(edges, ({ from }) => from)
  return new Map(
    [...groups].map(([from, group]) => [
      from,
      order.filter((each) => group.some(({ carries }) => carries === each)),
    ]),
  )
}

/** Where a line starts: at the outlet of its kind for a card, at the middle for other nodes. */
function startOf(plan: Pick<Plan, 'boxes' | 'services' | 'outlets'>, edge: MapEdge): Point {
  const { x, y, width, height } = plan.boxes.get(edge.from) as Box
  if (!plan.services.has(edge.from)) return { x: x + width, y: y + height / 2 }
  const outlet = plan.outlets.get(edge.from)?.indexOf(edge.carries) ?? 0
  return { x: x + width, y: y + CARD.headHeight / 2 + outlet * CARD.rowHeight }
}

/** Moves a node with a single line to the level of that line, if there is room. */
function straighten(plan: Plan, boxes: Map<string, Box>, edges: readonly MapEdge[]): void {
  for (const [id, box] of boxes) {
    const [into, outOf] = [edges.filter(({ to }) => to === id), edges.filter((e) => e.from === id)]
    const only = id === ENTRY ? outOf : into
    if (plan.services.has(id) || only.length !== 1) continue
    const level = (
      id === ENTRY ? endOf(plan, only[0] as MapEdge) : startOf(plan, only[0] as MapEdge)
    ).y
    const moved = { ...box, y: level - box.height / 2 }
    const isFree = [...boxes].every(
      ([other, { x, y, width, height }]) =>
        other === id ||
        x >= box.x + box.width ||
        x + width <= box.x ||
        y >= moved.y + box.height + CLEARANCE ||
        y + height + CLEARANCE <= moved.y,
    )
    if (isFree && Math.abs(moved.y - box.y) < 2 * PILL.height) boxes.set(id, moved)
  }
}

/** Where a line ends: at its inlet for a card, at the middle for other nodes. */
function endOf(plan: Pick<Plan, 'boxes' | 'services'>, { to, inlet }: MapEdge): Point {
  const { x, y, height } = plan.boxes.get(to) as Box
  const service = plan.services.get(to)
  if (!service || inlet === undefined) return { x, y: y + height / 2 }
  const row = inletsOf(service).indexOf(inlet)
  return { x, y: y + CARD.headHeight + (row + 0.5) * CARD.rowHeight }
}

function forwardLines(
  plan: Plan,
  edges: readonly MapEdge[],
  bends: ReadonlyMap<string, number>,
): readonly (readonly [string, readonly Point[]])[] {
  const crossing = crossingsOf(plan, edges)
  return edges.map((edge) => {
    const [start, end] = [startOf(plan, edge), endOf(plan, edge)]
    const first = columnIndex(plan, boxOf(plan, edge.from))
    const last = columnIndex(plan, boxOf(plan, edge.to)) - 1
    const user = `${edge.from} ${edge.carries}`
    const leave = crossing(first, user)
    if (first === last) return [edge.id, bent(start, [{ x: leave, y: end.y }], end)]
    const y = bends.get(edge.id) ?? end.y
    const arrive = crossing(last, user)
    return [
      edge.id,
      bent(
        start,
        [
          { x: leave, y },
          { x: arrive, y: end.y },
        ],
        end,
      ),
    ]
  })
}

/** The x position of each source's vertical line in each channel. */
function crossingsOf(
  plan: Plan,
  edges: readonly MapEdge[],
): (channel: number, user: string) => number {
  const users = new Map<number, string[]>()
  const sorted = edges.toSorted((a, b) => startOf(plan, b).y - startOf(plan, a).y)
  for (const { from, to, carries } of sorted) {
    const user = `${from} ${carries}`
    const first = columnIndex(plan, boxOf(plan, from))
    for (const channel of [first, columnIndex(plan, boxOf(plan, to)) - 1]) {
      const known = users.get(channel) ?? []
      if (!known.includes(user)) users.set(channel, [...known, user])
    }
  }
  return (channel, user) => {
    const { right } = columnAt(plan, channel)
    const { left } = columnAt(plan, channel + 1)
    const all = users.get(channel) ?? []
    const share = (all.indexOf(user) + 1) / (all.length + 1)
    return right + (left - right) * (0.32 + 0.36 * share)
  }
}

/** A line of horizontal and vertical segments: first horizontal, then vertical to each corner. */
function bent(start: Point, corners: readonly Point[], end: Point): readonly Point[] {
  const points: Point[] = [start]
  let { y } = start
  for (const corner of corners) {
    points.push({ x: corner.x, y }, corner)
    ;({ y } = corner)
  }
  return [...points, end]
}

/** The returning lines. Those from one column to one inlet share a line. */
function returnLines(
  plan: Plan,
  edges: readonly MapEdge[],
): readonly (readonly [string, readonly Point[]])[] {
  const groups = Map.groupBy(
    edges.filter(({ isReturn }) => isReturn),
    ({ from, to, inlet }) => `${columnIndex(plan, boxOf(plan, from))} ${to} ${inlet ?? ''}`,
  )
  const used = {
    out: new Map<number, number>(),
    in: new Map<number, number>(),
    rows: [] as number[],
  }
  const next = (places: Map<number, number>, column: number): number => {
    const place = places.get(column) ?? 0
    places.set(column, place + 1)
    return RETURN.first + place * RETURN.next
  }
  return [...groups.values()].flatMap((group) => {
    const [edge] = group as [MapEdge]
    const from = columnIndex(plan, boxOf(plan, edge.from))
    const to = columnIndex(plan, boxOf(plan, edge.to))
    const outX = columnAt(plan, from).right + next(used.out, from)
    const inX = columnAt(plan, to).left - next(used.in, to)
    const starts = group.map((each) => startOf(plan, each))
    const end = endOf(plan, edge)
    const y = corridor(plan, { left: inX, right: outX }, [...starts, end], used.rows)
    used.rows.push(y)
    return starts.map((start, index) => {
      const corners = [
        { x: outX, y },
        { x: inX, y: end.y },
      ]
      return [(group[index] as MapEdge).id, bent(start, corners, end)] as const
    })
  })
}

/** The y position of the nearest free corridor between two vertical lines. */
function corridor(
  { boxes }: Plan,
  { left, right }: Column,
  ends: readonly Point[],
  taken: readonly number[],
): number {
  const within = [...boxes.values()].filter(({ x, width }) => x < right && x + width > left)
  const isFree = (level: number): boolean =>
    within.every(({ y, height }) => level <= y - 9 || level >= y + height + 9) &&
    taken.every((other) => Math.abs(other - level) >= RETURN.next)
  const bottom = Math.max(...within.map(({ y, height }) => y + height))
  const levels = within.flatMap(({ y, height }) =>
    [0, 1, 2, 3].map((lane) => y + height + CLEARANCE + lane * RETURN.next),
  )
  const way = (level: number): number => ends.reduce((sum, { y }) => sum + Math.abs(level - y), 0)
  const free = levels.filter(isFree).toSorted((a, b) => way(a) - way(b))
  return free[0] ?? bottom + CLEARANCE + (taken.length + 4) * RETURN.next
}

function extentOf(
  boxes: ReadonlyMap<string, Box>,
  lines: ReadonlyMap<string, readonly Point[]>,
): { readonly width: number; readonly height: number } {
  const corners = [...lines.values()].flat()
  const sides = [...boxes.values()].map(({ x, y, width, height }) => ({
    x: x + width,
    y: y + height,
  }))
  return {
    width: Math.max(0, ...[...corners, ...sides].map(({ x }) => x)),
    height: Math.max(0, ...[...corners, ...sides].map(({ y }) => y)),
  }
}
