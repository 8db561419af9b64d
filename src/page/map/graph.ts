// The system as a graph. A topic of commands or replies with a single reader is docked to the card of
// that reader as an inlet; other topics are nodes of their own.
import type { LinkView, Overview, TopicView } from '../../admin/wire.ts'

export type Carries = TopicView['carries']

export interface MapService {
  readonly id: string
  readonly name: string
  /** Topics that are docked to its card, commands first. */
  readonly docked: readonly TopicView[]
  /** The undocked topics that it reads. */
  readonly reads: readonly string[]
}

export interface MapTopic {
  readonly id: string
  readonly name: string
  readonly carries: Carries
}

export interface MapEdge {
  readonly id: string
  /** The ids of the nodes that it connects. */
  readonly from: string
  readonly to: string
  readonly topic: string
  readonly carries: Carries
  /** The service at one end of the edge; none for messages from outside. */
  readonly service?: string
  readonly kind: 'writes' | 'reads' | 'enters'
  /** The row of the card where it ends: a docked topic, or `events` for all other topics. */
  readonly inlet?: string
  /** Whether the edge points back against the direction of the flow. */
  readonly isReturn: boolean
}

export interface MapGraph {
  readonly services: readonly MapService[]
  readonly topics: readonly MapTopic[]
  readonly hasEntry: boolean
  readonly edges: readonly MapEdge[]
}

export const ENTRY = 'entry'
/** The inlet of a card for all undocked topics. */
export const EVENTS_INLET = 'events'

export const serviceId = (name: string): string => `service:${name}`
export const topicId = (name: string): string => `topic:${name}`

type EdgeDraft = Omit<MapEdge, 'isReturn'>

export function graphOf({ services, topics, links }: Overview): MapGraph {
  const readers = groupOf(links, 'reads')
  const writers = groupOf(links, 'writes')
  const isIdle = ({ name, carries, appended }: TopicView): boolean =>
    appended === 0 && (carries === 'replies' || (readers.get(name) ?? []).length === 0)
  const live = topics.filter((topic) => !isIdle(topic))
  const dockedAt = new Map(
    live
      .filter(({ name, carries }) => carries !== 'events' && readers.get(name)?.length === 1)
      .map((topic) => [topic.name, readers.get(topic.name)?.[0] as string] as const),
  )
  const drafts = live.flatMap((topic) =>
    draftsOf(topic, dockedAt.get(topic.name), writers, readers),
  )
  return {
    services: services.map(({ name }) => ({
      id: serviceId(name),
      name,
      docked: live
        .filter((topic) => dockedAt.get(topic.name) === name)
        .toSorted((a, b) => a.carries.localeCompare(b.carries) || a.name.localeCompare(b.name)),
      reads: live
        .filter((topic) => !dockedAt.has(topic.name) && readers.get(topic.name)?.includes(name))
        .map((topic) => topic.name),
    })),
    topics: live
      .filter(({ name }) => !dockedAt.has(name))
      .map(({ name, carries }) => ({ id: topicId(name), name, carries })),
    hasEntry: drafts.some(({ kind }) => kind === 'enters'),
    edges: markReturns(drafts),
  }
}

function groupOf(
  links: readonly LinkView[],
  kind: LinkView['kind'],
): ReadonlyMap<string, readonly string[]> {
  const groups = new Map<string, string[]>()
  for (const link of links)
    if (link.kind === kind)
      groups.set(link.topic, [...(groups.get(link.topic) ?? []), link.service])
  return groups
}

function draftsOf(
  { name: topic, carries }: TopicView,
  dock: string | undefined,
  writers: ReadonlyMap<string, readonly string[]>,
  readers: ReadonlyMap<string, readonly string[]>,
): readonly EdgeDraft[] {
  const to = dock === undefined ? topicId(topic) : serviceId(dock)
  const inlet = dock === undefined ? {} : { inlet: topic }
  const writing = (writers.get(topic) ?? [])
    // Messages of a service to itself are not drawn.
    .filter((service) => service !== dock)
    .map((service): EdgeDraft => {
      const from = serviceId(service)
      return { id: `${from}>${topic}`, from, to, topic, carries, service, kind: 'writes', ...inlet }
    })
  const isFromOutside = carries === 'commands' && writing.length === 0
  const entering: readonly EdgeDraft[] = isFromOutside
    ? [{ id: `entry>${topic}`, from: ENTRY, to, topic, carries, kind: 'enters', ...inlet }]
    : []
  if (dock !== undefined) return [...entering, ...writing]
  const reading = (readers.get(topic) ?? []).map((service): EdgeDraft => {
    const edge = { from: topicId(topic), to: serviceId(service), topic, carries, service }
    return { id: `${topic}>${edge.to}`, ...edge, kind: 'reads', inlet: EVENTS_INLET }
  })
  return [...entering, ...writing, ...reading]
}

/** Orders the nodes by commands first, then events. An edge that would close a cycle is a return. */
function markReturns(drafts: readonly EdgeDraft[]): readonly MapEdge[] {
  const after = new Map<string, Set<string>>()
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
    if (from === to) return true
    seen.add(from)
    return [...(after.get(from) ?? [])].some((next) => !seen.has(next) && reaches(next, to, seen))
  }
  const weight = ({ kind, carries }: EdgeDraft): number => {
    if (carries === 'replies') return 3
    if (kind === 'reads') return 2
    return carries === 'commands' ? 0 : 1
  }
  return drafts
    .toSorted((a, b) => weight(a) - weight(b))
    .map((draft) => {
      const isReturn = reaches(draft.to, draft.from)
      if (!isReturn) {
        const next = after.get(draft.from) ?? new Set()
        after.set(draft.from, next.add(draft.to))
      }
      return { ...draft, isReturn }
    })
}
