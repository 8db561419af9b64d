import type { Clock } from '../base/time/clock.ts'
import { sleep } from '../base/time/clock.ts'
import { countersOf } from '../control/overview.ts'
import type { VerbArguments, VerbName } from '../control/verbs.ts'
import { runVerb, VERBS } from '../control/verbs.ts'
import type { System } from '../control/system.ts'
import type { HttpHandler } from '../http/handler.ts'
import type { OnError } from '../http/problem.ts'
import { problems } from '../http/problem.ts'
import { json } from '../http/response.ts'
import type { HttpRoute } from '../http/routes.ts'
import { routes } from '../http/routes.ts'
import type { StreamEvent } from '../http/stream.ts'
import { eventStream } from '../http/stream.ts'
import type { App } from '../runtime/start.ts'
import { systemOf } from '../runtime/running-system.ts'
import type { History } from './history.ts'
import type { Board } from './board.ts'
import { boardView } from './board.ts'
import { recordHistory } from './history.ts'
import { pageRoutes } from './page-routes.ts'
import { probeRoutes } from './probe-routes.ts'
import { writeRoutes } from './write-routes.ts'
import type { EventView, Overview } from './wire.ts'

export interface AdminOptions {
  /** Required by every write, as `Authorization: Bearer`. */
  readonly token: string
  readonly boards?: readonly Board[]
  readonly onError?: OnError
  /** Stops recording the history. */
  readonly signal: AbortSignal
}

/** Interval of the updates to the page. */
const UPDATE_MS = 1_000
const NEWEST = 40
/** Bounds the search for a conversation, so that it does not block other requests. */
const RECORDS_PER_CHAIN = 200_000

/**
 * Serves the admin API and the page. Reads are as open as the server that they are mounted on. Every
 * write needs the token and, if the request has an `Origin`, the server's own.
 */
export function admin(app: App, options: AdminOptions): HttpHandler {
  const handle = routes(adminRoutes(app, options))
  const problemOf = problems(options.onError)
  return (request) => handle(request).catch(problemOf)
}

/** All routes of the operator API and the page. */
export function adminRoutes(app: App, options: AdminOptions): readonly HttpRoute[] {
  const { token, boards = [], signal: closing } = options
  const system = systemOf(app)
  const { clock } = system
  const history = recordHistory(clock, () => countersOf(system), closing)
  const overview = cachedBriefly(clock, () => overviewOf(system, boards))
  const newest = cachedBriefly(clock, async () => {
    return (await runVerb(system, 'newest', { limit: NEWEST })) as readonly EventView[]
  })
  return [
    {
      method: 'GET',
      path: '/admin/overview',
      run: async () => json(200, await overview(), NO_STORE),
    },
    {
      method: 'GET',
      path: '/admin/stream',
      async run({ request: { signal } }) {
        return eventStream(streamUpdates(clock, signal, { overview, newest, history }), {
          clock,
          signal,
        })
      },
    },
    {
      method: 'GET',
      path: '/admin/history',
      run: async () => json(200, history.since(0), NO_STORE),
    },
    ...READ_ROUTES.map(([path, verb]): HttpRoute => ({
      method: 'GET',
      path,
      run: ({ url, params }) =>
        answerVerb(system, verb, { ...verbArguments(verb, url.searchParams), ...params }),
    })),
    {
      method: 'GET',
      path: '/admin/chain/:event',
      run: ({ params: { event = '' } }) =>
        answerVerb(system, 'chain', { event, records: RECORDS_PER_CHAIN }),
    },
    ...writeRoutes(system, token),
    ...probeRoutes(system),
    ...pageRoutes(),
  ]
}

/** Read-only verbs, with their arguments in the query string. */
export const READ_ROUTES: readonly (readonly [path: string, verb: VerbName])[] = [
  ['/admin/events', 'newest'],
  ['/admin/topics/:topic/events', 'browse'],
  ['/admin/find', 'find'],
  ['/admin/ledger', 'ledger'],
  ['/admin/held', 'held'],
  ['/admin/sagas', 'sagas'],
  ['/admin/operations', 'operations'],
  ['/admin/timers', 'timers'],
  ['/admin/dead', 'dead'],
  ['/admin/dead/causes', 'dead-causes'],
  ['/admin/dead/preview', 'dead-preview'],
  ['/admin/account', 'account'],
  ['/admin/audit', 'audit'],
]

const NO_STORE = { 'cache-control': 'no-store' }

async function overviewOf(system: System, boards: readonly Board[]): Promise<Overview> {
  const seen = (await runVerb(system, 'overview', {})) as Omit<Overview, 'boards'>
  const views = boards.map((board) => boardView(system.clock, board))
  return { ...seen, boards: await Promise.all(views) }
}

async function answerVerb(system: System, verb: VerbName, given: VerbArguments): Promise<Response> {
  return json(200, await runVerb(system, verb, given), NO_STORE)
}

/** The arguments of a verb from a query string. */
function verbArguments(verb: VerbName, query: URLSearchParams): VerbArguments {
  const given = [...query].map(([name, value]): [string, string | number] => {
    const takes = Object.hasOwn(VERBS[verb].takes, name) ? VERBS[verb].takes[name] : undefined
    return [name, takes?.kind === 'number' && value !== '' ? Number(value) : value]
  })
  return Object.fromEntries(given)
}

/** Shares one result among all clients for half an update interval. */
function cachedBriefly<T>(clock: Clock, ask: () => Promise<T>): () => Promise<T> {
  let askedAt = -Infinity
  let answer: Promise<T> | undefined
  return async () => {
    if (answer && clock.elapsed() - askedAt < UPDATE_MS / 2) return answer
    askedAt = clock.elapsed()
    answer = ask()
    // After a failure, the next call asks again.
    answer.catch(() => (answer = undefined))
    return answer
  }
}

interface StreamSources {
  readonly overview: () => Promise<Overview>
  readonly newest: () => Promise<readonly EventView[]>
  readonly history: History
}

/** The events of the page's stream: the whole history first, then updates and new samples. */
async function* streamUpdates(
  clock: Clock,
  signal: AbortSignal,
  { overview, newest, history }: StreamSources,
): AsyncGenerator<StreamEvent> {
  let samples = history.since(0)
  yield { event: 'history', data: samples }
  let sampledAt = samples.at(-1)?.at ?? 0
  while (!signal.aborted) {
    const data = await overview()
    yield { event: 'overview', data }
    yield { event: 'newest', data: await newest() }
    samples = history.since(sampledAt)
    sampledAt = samples.at(-1)?.at ?? sampledAt
    for (const sample of samples) yield { event: 'sample', data: sample }
    await sleep(clock, UPDATE_MS, signal)
  }
}
