// Where the beads of each line run. Lines that overlap share their beads: each line gets beads only on
// the segments that no longer line of its kind covers.
import type { MapEdge } from './graph.ts'
import type { Point } from './layout.ts'
import { RADIUS } from './line.ts'

interface Stretch {
  readonly from: Point
  readonly to: Point
}

type Flowing = Pick<MapEdge, 'id' | 'carries'>

/** The corners of the part of each flowing line that has its own beads; none if all is covered. */
export function beadsOf(
  edges: readonly Flowing[],
  lines: ReadonlyMap<string, readonly Point[]>,
): ReadonlyMap<string, readonly Point[]> {
  const covered = new Map<string, Stretch[]>()
  const byLength = edges
    .map((edge) => ({ ...edge, points: lines.get(edge.id) ?? [] }))
    .toSorted((a, b) => lengthOf(b.points) - lengthOf(a.points))
  return new Map(
    byLength.map(({ id, carries, points }) => {
      const known = covered.get(carries) ?? []
      const own = uncovered(points, known)
      covered.set(carries, [...known, ...stretchesOf(points)])
      return [id, own] as const
    }),
  )
}

/** The line without the parts at its start and end that other lines cover. */
function uncovered(points: readonly Point[], known: readonly Stretch[]): readonly Point[] {
  const shared = sharedStart(points, known)
  const back = known.map(({ from, to }) => ({ from: to, to: from }))
  const sharedEnd = sharedStart(points.toReversed(), back)
  const whole = lengthOf(points)
  // Includes the bend, so that beads pass it before they join.
  const start = Math.max(0, shared - RADIUS)
  const end = Math.min(whole, whole - sharedEnd + RADIUS)
  return end - start <= 2 * RADIUS ? [] : cut(points, start, end)
}

/** The length from its start over which a line overlaps others in their direction. */
function sharedStart(points: readonly Point[], known: readonly Stretch[]): number {
  let length = 0
  for (const stretch of stretchesOf(points)) {
    const along = Math.max(0, ...known.map((other) => overlap(stretch, other)))
    length += along
    if (along < size(stretch) - 0.5) break
  }
  return length
}

/** The length from its start over which a segment overlaps another. */
function overlap(stretch: Stretch, other: Stretch): number {
  const axis = stretch.from.x === stretch.to.x ? 'y' : 'x'
  const across = axis === 'x' ? 'y' : 'x'
  const sign = Math.sign(stretch.to[axis] - stretch.from[axis])
  const isLevel = Math.abs(stretch.from[across] - other.from[across]) < 0.5
  if (!isLevel || other.from[across] !== other.to[across]) return 0
  if (Math.sign(other.to[axis] - other.from[axis]) !== sign) return 0
  const [from, to] = [other.from[axis] * sign, other.to[axis] * sign]
  const [start, end] = [stretch.from[axis] * sign, stretch.to[axis] * sign]
  return from <= start + 0.5 && to > start ? Math.min(end, to) - start : 0
}

function cut(points: readonly Point[], start: number, end: number): readonly Point[] {
  const inside: Point[] = [at(points, start)]
  let passed = 0
  for (const stretch of stretchesOf(points)) {
    passed += size(stretch)
    if (passed > start && passed < end) inside.push(stretch.to)
  }
  return [...inside, at(points, end)]
}

function at(points: readonly Point[], length: number): Point {
  let left = length
  for (const stretch of stretchesOf(points)) {
    const { from, to } = stretch
    if (left <= size(stretch)) {
      const share = left / size(stretch)
      return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
    }
    left -= size(stretch)
  }
  return points.at(-1) ?? { x: 0, y: 0 }
}

function stretchesOf(points: readonly Point[]): readonly Stretch[] {
  return points
    .slice(1)
    .map((to, index) => ({ from: points[index] as Point, to }))
    .filter((stretch) => size(stretch) > 0)
}

function size({ from, to }: Stretch): number {
  return Math.abs(from.x - to.x) + Math.abs(from.y - to.y)
}

function lengthOf(points: readonly Point[]): number {
  return stretchesOf(points).reduce((sum, stretch) => sum + size(stretch), 0)
}
