// The SVG path of a line of the map, and the position of its label.
import type { Point } from './layout.ts'

/** The radius of a bend, if there is room for it. */
export const RADIUS = 11

/** The path through corners, each rounded as far as its segments allow. */
export function pathOf(points: readonly Point[]): string {
  const corners = points.filter((point, index) => {
    const before = points[index - 1]
    return !before || before.x !== point.x || before.y !== point.y
  })
  return corners
    .map((point, index) => {
      const [before, after] = [corners[index - 1], corners[index + 1]]
      if (!before) return `M${place(point)}`
      if (!after) return `L${place(point)}`
      const radius = Math.min(RADIUS, distance(before, point) / 2, distance(point, after) / 2)
      const from = place(toward(point, before, radius))
      return `L${from}Q${place(point)} ${place(toward(point, after, radius))}`
    })
    .join('')
}

/**
 * The position of each label, by the id of the edge that shows it. Lines with the same position share
 * a label.
 */
export function labelsOf<E extends { readonly id: string }>(
  edges: readonly E[],
  lines: ReadonlyMap<string, readonly Point[]>,
): ReadonlyMap<string, { readonly at: Point; readonly edges: readonly E[] }> {
  const placed = edges.map((edge) => ({ edge, at: labelAt(lines.get(edge.id) ?? []) }))
  const groups = Map.groupBy(placed, ({ at: { x, y } }) => `${Math.round(x)} ${Math.round(y)}`)
  return new Map(
    [...groups.values()].map((group) => {
      const [{ edge, at }] = group as [(typeof group)[number]]
      return [edge.id, { at, edges: group.map((each) => each.edge) }] as const
    }),
  )
}

/** The middle of the longest segment. */
export function labelAt(points: readonly Point[]): Point {
  const stretches = points
    .slice(1)
    .map((end, index) => ({ start: points[index] as Point, end }))
    .toSorted((a, b) => distance(b.start, b.end) - distance(a.start, a.end))
  const [longest] = stretches
  if (!longest) return points[0] ?? { x: 0, y: 0 }
  return { x: (longest.start.x + longest.end.x) / 2, y: (longest.start.y + longest.end.y) / 2 }
}

function distance(a: Point, b: Point): number {
  return Math.abs(a.x - b.x) + Math.abs(a.y - b.y)
}

function toward(from: Point, to: Point, step: number): Point {
  return {
    x: from.x + Math.sign(to.x - from.x) * step,
    y: from.y + Math.sign(to.y - from.y) * step,
  }
}

function place({ x, y }: Point): string {
  return `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`
}
