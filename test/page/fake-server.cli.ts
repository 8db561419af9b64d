// Serves the built page with a fake shop behind it, to work on the page without a real system.
//
//   node tools/node.mjs test/page/fake-server.cli.ts [PORT] [lively | empty | failing]
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type {
  Alarm,
  ChainView,
  EventView,
  LinkView,
  Overview,
  RuleView,
  SampleView,
} from '../../src/admin/wire.ts'
import {
  consumersOf,
  eventsOf,
  found,
  heldKeys,
  ledgerRows,
  operations,
  pageOf,
  sagas,
  timers,
} from './fake-lists.ts'
import type { FakeShop } from './fake-shop.ts'
import { OWNERS, advance, READS, RULES, createFakeShop } from './fake-shop.ts'

export type Scene = 'lively' | 'empty' | 'failing'

export interface FakeServer {
  readonly url: string
  readonly token: string
  readonly world: FakeShop
  /** Seconds of the shop per real second. */
  pace: number
  close(): Promise<void>
}

const built = fileURLToPath(new URL('../../dist/page', import.meta.url))
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
const POLICY =
  `default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; ` +
  `frame-ancestors 'none'; base-uri 'none'; form-action 'none'`

export async function startFakeServer(
  options: { port?: number; scene?: Scene } = {},
): Promise<FakeServer> {
  const { port = 0, scene = 'lively' } = options
  const shop = createFakeShop(Date.now())
  if (scene === 'failing') shop.stuck = 12
  const streams = new Set<ServerResponse>()
  const token = 'made-up-token'
  const server = createServer((request, response) =>
    answer(request, response, self, scene, streams),
  )
  await new Promise<void>((done) => void server.listen(port, '127.0.0.1', done))
  const self: FakeServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    world: shop,
    pace: 1,
    close: () => close(server, streams, timer),
  }
  let due = 0
  const timer = setInterval(() => {
    if (scene !== 'empty') advance(shop, 50 * self.pace)
    else shop.at += 50 * self.pace
    due += 50 * self.pace
    if (due < 1_000) return
    due = 0
    for (const stream of streams) tell(stream, shop, scene)
  }, 50)
  return self
}

async function close(
  server: Server,
  streams: ReadonlySet<ServerResponse>,
  timer: NodeJS.Timeout,
): Promise<void> {
  clearInterval(timer)
  for (const stream of streams) stream.destroy()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
}

function tell(stream: ServerResponse, shop: FakeShop, scene: Scene): void {
  stream.write(`event: overview\ndata: ${JSON.stringify(overviewOf(shop, scene))}\n\n`)
  stream.write(`event: newest\ndata: ${JSON.stringify(newest(shop, 40))}\n\n`)
}

/** The samples of the hour before the start: steady, with a peak of lag in the middle. */
function pastOf({ startedAt }: FakeShop, scene: Scene): readonly SampleView[] {
  if (scene === 'empty') return []
  return Array.from({ length: 720 }, (_, index): SampleView => {
    const jam = Math.max(0, 1 - Math.abs(index - 330) / 40)
    const perSecond = 260 + 110 * Math.sin(index / 60) + 60 * Math.sin(index / 7) - 120 * jam
    const lag = Math.round(800 * jam)
    const figures = { perSecond: perSecond / 5, lag: Math.round(lag / 5) }
    return {
      at: startedAt - (720 - index) * 5_000,
      perSecond,
      lag,
      services: Object.fromEntries(Object.keys(RULES).map((name) => [name, figures])),
    }
  })
}

const newest = ({ events }: FakeShop, limit: number): readonly EventView[] =>
  events.slice(-limit).toReversed()

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { world: shop, token }: FakeServer,
  scene: Scene,
  streams: Set<ServerResponse>,
): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  response.setHeader('content-security-policy', POLICY)
  if (pathname === '/admin/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    streams.add(response)
    response.write(`event: history\ndata: ${JSON.stringify(pastOf(shop, scene))}\n\n`)
    request.on('close', () => streams.delete(response))
    return tell(response, shop, scene)
  }
  if (pathname === '/admin/overview') return json(response, overviewOf(shop, scene))
  const list = listOf(shop, pathname, searchParams)
  if (list) return json(response, list)
  if (pathname.startsWith('/admin/chain/'))
    return answerChain(response, shop, decodeURIComponent(pathname.slice('/admin/chain/'.length)))
  const [, name, verb] = /^\/admin\/services\/([^/]+)\/(pause|resume)$/.exec(pathname) ?? []
  if (name && request.method === 'POST') {
    const { authorization } = request.headers
    if (!authorization) return problem(response, 401, 'A token is needed')
    if (authorization !== `Bearer ${token}`)
      return problem(response, 403, 'That token is not valid')
    if (verb === 'pause') shop.paused.add(name)
    else shop.paused.delete(name)
    return void response.writeHead(204).end()
  }
  return file(response, pathname)
}

function listOf(shop: FakeShop, path: string, query: URLSearchParams): unknown {
  const [, topic] = /^\/admin\/topics\/([^/]+)\/events$/.exec(path) ?? []
  if (topic !== undefined) return eventsOf(shop, decodeURIComponent(topic), query)
  const key = query.get('key')
  const state = query.get('state')
  switch (path) {
    case '/admin/find':
      return found(shop, query)
    case '/admin/ledger':
      return pageOf(ledgerRows(shop, query), query)
    case '/admin/held':
      return pageOf(
        heldKeys(shop).filter((held) => key === null || held.key === key),
        query,
      )
    case '/admin/operations':
      return pageOf(
        operations(shop).filter((each) => state === null || each.state.status === state),
        query,
      )
    case '/admin/sagas':
      return pageOf(sagas(shop), query)
    case '/admin/timers':
      return pageOf(timers(shop), query)
    default:
      return undefined
  }
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function problem(response: ServerResponse, status: number, title: string): void {
  const body = { type: 'about:blank', title, status, detail: title, code: 'ADMIN_REFUSED' }
  response.writeHead(status, { 'content-type': 'application/problem+json' })
  response.end(JSON.stringify(body))
}

function file(response: ServerResponse, pathname: string): void {
  const inside = pathname === '/' || pathname === '/page/' ? '/page/index.html' : pathname
  const path = normalize(join(built, inside.replace(/^\/page\//, '')))
  try {
    if (!path.startsWith(built)) throw new Error('outside')
    const body = readFileSync(path)
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(body)
  } catch {
    problem(response, 404, 'Nothing is here')
  }
}

function answerChain(response: ServerResponse, shop: FakeShop, id: string): void {
  const found = shop.events.find((event) => event.id === id)
  if (!found) return problem(response, 404, 'No event has this id')
  const outcome = shop.outcomes.get(found.correlation)
  const { waitsFor = [] } =
    operations(shop).find(({ id: each }) => each === found.correlation) ?? {}
  const operation = outcome ?? ({ status: 'pending', kind: 'pending' } as const)
  const chain: ChainView = {
    correlation: found.correlation,
    events: shop.events
      .filter(({ correlation }) => correlation === found.correlation)
      .toSorted((a, b) => a.at - b.at)
      .map((event) => ({ ...event, consumers: consumersOf(shop, event) })),
    operation,
    waitsFor,
    held: heldKeys(shop).filter(({ key }) =>
      shop.held.get(key)?.some(({ correlation }) => correlation === found.correlation),
    ),
    isComplete: true,
  }
  json(response, chain)
}

const lagOf = ({ queues }: FakeShop, service: string, topic: string): readonly EventView[] =>
  queues.get(`${service}\n${topic}`) ?? []

function overviewOf(shop: FakeShop, scene: Scene): Overview {
  const { at, appended, passed } = shop
  const empty = { services: [], topics: [], links: [], boards: [] }
  const health = { status: 'well', detail: 'All services run.', alarms: [] } as const
  const well = { at, ack: 'disk', health } as const
  if (scene === 'empty') return { ...well, ...empty }
  const reads = READS.map(([service, topic]): LinkView => {
    const queue = lagOf(shop, service, topic)
    const ageMs = queue[0] ? Math.max(0, at - queue[0].at) : 0
    const count = passed.get(`${service}\n${topic}`) ?? 0
    return { kind: 'reads', service, topic, lag: queue.length, ageMs, consumed: count }
  })
  const pairs: readonly (readonly [string, string])[] = [
    ...OWNERS.map((name) => [name, `${name}.events`] as const),
    ...OWNERS.map((name) => ['ordering', `${name}.commands`] as const),
    ...OWNERS.slice(1).map((name) => [name, 'ordering.replies'] as const),
  ]
  const writes = pairs.map(([service, topic]): LinkView => ({ kind: 'writes', service, topic }))
  const names = Object.keys(RULES)
  return {
    ...well,
    health: healthOf(shop),
    services: names.map((name) => serviceOf(shop, name, reads)),
    topics: names.flatMap((name) =>
      (['commands', 'events', 'replies'] as const).map((carries) => {
        const count = appended.get(`${name}.${carries}`) ?? 0
        return {
          name: `${name}.${carries}`,
          carries,
          partitions: 8,
          appended: count,
          retained: count,
        }
      }),
    ),
    links: [...writes, ...reads],
    boards: [
      {
        title: 'Orders',
        states: [
          { name: 'charging' },
          { name: 'preparing' },
          { name: 'completed', tone: 'good' as const },
          { name: 'rolled back', tone: 'undone' as const },
        ].map((state) => ({ ...state, count: shop.orders.get(state.name) ?? 0 })),
      },
      {
        title: 'Invoices refused',
        states: [
          { name: 'no customer', count: 214 },
          { name: 'no price', count: 96 },
          { name: 'unknown product', count: 31 },
        ],
      },
    ],
  }
}

function healthOf(shop: FakeShop): Overview['health'] {
  const { broken, paused, held } = shop
  const slow: Alarm = {
    kind: 'slow-rule',
    isDegrading: false,
    message: 'account/purchases took 212 ms for one event, and may take 100 ms',
    consumer: 'account/purchases',
    count: 3,
    examples: [shop.events.at(-1)?.id ?? ''],
    threshold: { ruleBudgetMs: 100 },
  }
  if (held.size > 0) {
    const keys = [...held.keys()].slice(0, 3)
    const message =
      `inventory/product holds ${held.size} keys (${keys.join(', ')} and more), for up to 48 s ` +
      'and 6 failed attempts'
    const alarm: Alarm = {
      kind: 'held-keys',
      isDegrading: true,
      message,
      consumer: 'inventory/product',
      count: held.size,
      examples: keys,
      threshold: { heldAlarmMs: 30_000, heldAlarmAttempts: 5 },
    }
    const alarms = [slow, alarm]
    if (broken !== undefined) return { status: 'failing', detail: broken, alarms }
    return { status: 'degraded', detail: message, alarms }
  }
  if (paused.size === 0) return { status: 'well', detail: 'All services run.', alarms: [] }
  return {
    status: 'paused',
    detail: `${[...paused].join(', ')} is paused by its owner.`,
    alarms: [],
  }
}

const heldCount = ({ held }: FakeShop): number =>
  [...held.values()].reduce((sum, waiting) => sum + waiting.length, 0)

function serviceOf(
  shop: FakeShop,
  name: string,
  links: readonly LinkView[],
): Overview['services'][number] {
  const own = links.filter((link) => link.kind === 'reads' && link.service === name)
  const lag = own.reduce((most, link) => Math.max(most, link.kind === 'reads' ? link.lag : 0), 0)
  const ageMs = own.reduce(
    (most, link) => Math.max(most, link.kind === 'reads' ? link.ageMs : 0),
    0,
  )
  const completed = shop.completed.get(name) ?? 0
  const pending = name === 'inventory' ? heldCount(shop) : 0
  const rules = (RULES[name] ?? []).map(([rule, kind], index): RuleView => {
    const done = Math.round(completed / (index + 1))
    const waits = index === 0 ? pending : 0
    return {
      name: rule,
      kind: kind as RuleView['kind'],
      accepted: done + waits,
      completed: done,
      pending: waits,
      dead: 0,
      discarded: 0,
      expired: 0,
      lag: index === 0 ? lag : 0,
    }
  })
  return {
    name,
    isPaused: shop.paused.has(name),
    lag,
    ageMs,
    pending,
    dead: 0,
    discarded: 0,
    completed,
    rules,
  }
}

if (import.meta.main) {
  const [port = '4173', scene = 'lively'] = process.argv.slice(2)
  const { url, token } = await startFakeServer({ port: Number(port), scene: scene as Scene })
  process.stdout.write(`${url}/page/#token=${token}\n`)
}
