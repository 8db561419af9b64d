// Rates and samples that the page derives from successive overviews, for the last two minutes. Older
// samples, up to an hour, come from the server.
import type { MetricsView, Overview, SampleView } from '../../admin/wire.ts'

/** Rates are averaged over about this time: smooth, but without much delay. */
const RATE_WINDOW_MS = 3_000
/** Length of the page's own history. */
export const HISTORY_MS = 120_000
/** Length of the server's history. */
export const SERVER_HISTORY_MS = 3_600_000
/** Bounds the samples if overviews come faster than expected. */
const SAMPLES_MAX = 720

export interface Rates {
  /** Events per second, over all topics. */
  readonly total: number
  readonly topics: ReadonlyMap<string, number>
  readonly services: ReadonlyMap<string, number>
  /** By `readKey`. */
  readonly reads: ReadonlyMap<string, number>
}

export interface History {
  readonly rates: Rates
  /** The page's own samples, about one per second. */
  readonly samples: readonly SampleView[]
  /** The server's samples of the last hour, some seconds apart. */
  readonly serverSamples: readonly SampleView[]
  /** The overviews that rates are computed from, oldest first. */
  readonly recent: readonly Overview[]
}

export const NO_HISTORY: History = {
  rates: { total: 0, topics: new Map(), services: new Map(), reads: new Map() },
  samples: [],
  serverSamples: [],
  recent: [],
}

export function readKey(service: string, topic: string): string {
  return `${service}\n${topic}`
}

/** Adds an overview. An overview that is older than the last one, or of a restart, starts over. */
export function addOverview(history: History, overview: Overview): History {
  const last = history.recent.at(-1)
  if (last && overview.at === last.at) return history
  const isNext = last && overview.at > last.at && !isReset(last, overview)
  const known = isNext ? history : { ...NO_HISTORY, serverSamples: history.serverSamples }
  const oldest = overview.at - RATE_WINDOW_MS - 500
  const kept = known.recent.filter(({ at }, index, all) => at >= oldest || index === all.length - 1)
  const rates = kept[0] ? ratesOf(kept[0], overview) : NO_HISTORY.rates
  const samples = kept[0] ? [...known.samples, sampleOf(overview, rates)] : known.samples
  return {
    rates,
    serverSamples: known.serverSamples,
    recent: [...kept, overview],
    samples: samples.filter(({ at }) => at >= overview.at - HISTORY_MS).slice(-SAMPLES_MAX),
  }
}

/** Replaces the server's samples. */
export function withServerSamples(history: History, past: readonly SampleView[]): History {
  return { ...history, serverSamples: past.slice(-SAMPLES_MAX) }
}

/** The samples of the last `spanMs`: the page's own, and before those the server's. */
export function samplesOver(
  { samples, serverSamples }: History,
  spanMs: number,
): readonly SampleView[] {
  const newest = Math.max(samples.at(-1)?.at ?? 0, serverSamples.at(-1)?.at ?? 0)
  const own = spanMs > HISTORY_MS ? samples.slice(-1) : samples
  const ownFrom = own[0]?.at ?? Infinity
  return [...serverSamples.filter(({ at }) => at < ownFrom && at >= newest - spanMs), ...own]
}

/** Counters only grow; if one has shrunk, the system was restarted. */
function isReset(last: Overview, next: Overview): boolean {
  const before = new Map(last.topics.map(({ name, appended }) => [name, appended]))
  return next.topics.some(({ name, appended }) => appended < (before.get(name) ?? 0))
}

function ratesOf(from: Overview, to: Overview): Rates {
  const seconds = (to.at - from.at) / 1_000
  const rate = (before: ReadonlyMap<string, number>) => {
    return ([key, count]: readonly [string, number]): readonly [string, number] => {
      const earlier = before.get(key)
      return [key, earlier === undefined ? 0 : Math.max(0, count - earlier) / seconds]
    }
  }
  const topics = new Map(appendedOf(to).map(rate(new Map(appendedOf(from)))))
  return {
    topics,
    services: new Map(completedOf(to).map(rate(new Map(completedOf(from))))),
    reads: new Map(consumedOf(to).map(rate(new Map(consumedOf(from))))),
    total: [...topics.values()].reduce((sum, each) => sum + each, 0),
  }
}

type Counts = readonly (readonly [string, number])[]

const appendedOf = ({ topics }: Overview): Counts =>
  topics.map(({ name, appended }) => [name, appended] as const)

const completedOf = ({ services }: Overview): Counts =>
  services.map(({ name, completed }) => [name, completed] as const)

const consumedOf = ({ links }: Overview): Counts =>
  links.flatMap((link) =>
    link.kind === 'reads' ? [[readKey(link.service, link.topic), link.consumed] as const] : [],
  )

function sampleOf(overview: Overview, rates: Rates): SampleView {
  return {
    at: overview.at,
    perSecond: rates.total,
    lag: lagOf(overview),
    services: Object.fromEntries(
      overview.services.map(({ name, lag }): [string, MetricsView] => [
        name,
        { perSecond: rates.services.get(name) ?? 0, lag },
      ]),
    ),
  }
}

/** The lag over all services. */
export function lagOf({ services }: Overview): number {
  return services.reduce((sum, { lag }) => sum + lag, 0)
}

/** The age of the oldest unread record of any service. */
export function oldestOf({ services }: Overview): number {
  return Math.max(0, ...services.map(({ ageMs }) => ageMs))
}
