// Lays out a conversation as a tree of causes, one row per message in order of time. The branch that
// ends last goes straight down; each other branch gets a lane beside it.
import type { ChainEvent, ChainView } from '../../admin/wire.ts'

export interface ChainRow {
  readonly event: ChainEvent
  /** The cause, if it was found. */
  readonly cause?: ChainEvent
  readonly depth: number
  /** Times of the cause and of the message, since the start of the conversation. */
  readonly fromMs: number
  readonly toMs: number
  readonly rail: Rail
}

/** The lines beside a row; lanes are numbered from 0. */
export interface Rail {
  readonly lane: number
  readonly hasCause: boolean
  /** Whether the lane continues below. */
  readonly continues: boolean
  /** Lanes that branch off here. */
  readonly branches: readonly number[]
  /** Other lanes that pass this row. */
  readonly passing: readonly number[]
}

export interface ChainTree {
  readonly rows: readonly ChainRow[]
  readonly lanes: number
  readonly totalMs: number
}

interface TreeNode {
  readonly event: ChainEvent
  readonly cause: ChainEvent | undefined
  readonly depth: number
}

export function treeOf({ events }: Pick<ChainView, 'events'>): ChainTree {
  const knots = causalOrder(events)
  const childrenOf = Map.groupBy(
    knots.filter(({ cause }) => cause),
    ({ cause }) => cause?.id ?? '',
  )
  const endsAt = lastDescendantAt(knots, childrenOf)
  const rails = railsOf(knots, (id) =>
    (childrenOf.get(id) ?? [])
      .map(({ event }) => event.id)
      .toSorted((a, b) => (endsAt.get(b) ?? 0) - (endsAt.get(a) ?? 0)),
  )
  const began = Math.min(...knots.map(({ event }) => event.at))
  const rows = knots.map(({ event, cause, depth }, index): ChainRow => {
    const toMs = event.at - began
    const fromMs = cause ? Math.min(toMs, cause.at - began) : toMs
    return { event, ...(cause ? { cause } : {}), depth, fromMs, toMs, rail: rails[index] as Rail }
  })
  return {
    rows,
    lanes: 1 + Math.max(0, ...rails.flatMap(({ lane, branches }) => [lane, ...branches])),
    totalMs: Math.max(0, ...rows.map(({ toMs }) => toMs)),
  }
}

/** Sorts by time, but never before the cause, even with wrong clocks. Cuts cycles of causes. */
function causalOrder(events: readonly ChainEvent[]): readonly TreeNode[] {
  const byId = new Map(events.map((event) => [event.id, event]))
  const placed = new Map<string, TreeNode>()
  const place = (event: ChainEvent, below: ReadonlySet<string>): TreeNode => {
    const known = placed.get(event.id)
    if (known) return known
    const cause = event.cause === undefined ? undefined : byId.get(event.cause)
    const isCut = !cause || cause.id === event.id || below.has(cause.id)
    const before = isCut ? undefined : place(cause, new Set([...below, event.id]))
    const knot = { event, cause: before?.event, depth: before ? before.depth + 1 : 0 }
    placed.set(event.id, knot)
    return knot
  }
  for (const event of [...byId.values()].toSorted((a, b) => a.at - b.at)) place(event, new Set())
  return [...placed.values()]
}

/** For each event, the time of its last descendant. */
function lastDescendantAt(
  knots: readonly TreeNode[],
  childrenOf: ReadonlyMap<string, readonly TreeNode[]>,
): ReadonlyMap<string, number> {
  const last = new Map<string, number>()
  for (const { event } of knots.toReversed()) {
    const below = (childrenOf.get(event.id) ?? []).map((child) => last.get(child.event.id) ?? 0)
    last.set(event.id, Math.max(event.at, ...below))
  }
  return last
}

function railsOf(
  knots: readonly TreeNode[],
  childrenOf: (id: string) => readonly string[],
): readonly Rail[] {
  /** The lanes in use, each with the id of its next event. */
  const leads = new Map<number, string>()
  const free = (not: number): number => {
    let lane = 0
    while (leads.has(lane) || lane === not) lane += 1
    return lane
  }
  return knots.map(({ event, cause }) => {
    const found = [...leads].find(([, id]) => id === event.id)?.[0]
    const lane = found ?? free(-1)
    leads.delete(lane)
    const passing = [...leads.keys()].toSorted((a, b) => a - b)
    const [next, ...others] = childrenOf(event.id)
    if (next !== undefined) leads.set(lane, next)
    const branches = others.map((id) => {
      const opened = free(lane)
      leads.set(opened, id)
      return opened
    })
    return { lane, hasCause: cause !== undefined, continues: next !== undefined, branches, passing }
  })
}
