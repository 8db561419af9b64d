// Random requests to the operator API. Its routes and their arguments come from the tables of the API
// itself; names, ids and cursors from the app that it serves.
import { READ_ROUTES } from '../../src/admin/admin.ts'
import { BODY_ROUTES } from '../../src/admin/write-routes.ts'
import type { Random } from '../../src/base/random.ts'
import type { VerbName } from '../../src/control/verbs.ts'
import { VERBS } from '../../src/control/verbs.ts'
import type { HttpRoute } from '../../src/http/routes.ts'
import type { KnownLetter, KnownNames } from './admin-scenario.ts'
import { bodyOf, encoded, headersOf, METHODS, mutated, pick, TEXTS } from './random-values.ts'
import type { FuzzRequest } from './send-fuzz.ts'

/** How a request shows that it may write. */
export type TokenUse = 'right' | 'wrong' | 'none'

export interface AdminRequest extends FuzzRequest {
  /** Absent if the path is none of the table. */
  readonly route?: HttpRoute
  readonly token: TokenUse
  /** A browser says that a page of another origin sends it. */
  readonly isFromOtherSite: boolean
}

/** What requests are made of. */
export interface AdminInput {
  readonly routes: readonly HttpRoute[]
  readonly names: KnownNames
  readonly letters: readonly KnownLetter[]
  readonly token: string
  /** Whether some requests have the right token. */
  readonly hasToken: boolean
}

export const isWrite = ({ method }: HttpRoute): boolean => method === 'POST'

/** The verbs of the routes that take arguments. */
const VERB_OF: ReadonlyMap<string, VerbName> = new Map<string, VerbName>([
  ...READ_ROUTES,
  ...BODY_ROUTES,
  ['/admin/services/:service/pause', 'pause'],
  ['/admin/services/:service/resume', 'resume'],
])

const argumentsOf = ({ path }: HttpRoute): readonly string[] => {
  const verb = VERB_OF.get(path)
  return verb ? Object.keys(VERBS[verb].takes) : []
}

export function createAdminRequest(random: Random, input: AdminInput): AdminRequest {
  if (random() < 0.03) return rawRequest(random)
  const drawn = pick(random, input.routes)
  const isAstray = random() < 0.04
  const method = random() < 0.08 ? pick(random, METHODS) : drawn.method
  const path = isAstray ? pick(random, STRAY_PATHS) : pathOf(random, drawn, input)
  const query = random() < (isWrite(drawn) ? 0.05 : 0.6) ? queryOf(random, drawn, input) : ''
  const { headers, token, isFromOtherSite } = adminHeaders(random, input)
  const mayHaveBody = method !== 'GET' && method !== 'HEAD'
  const body = mayHaveBody && random() < 0.95 ? adminBody(random, drawn, input) : undefined
  const isHalf = body !== undefined && body.length > 1 && random() < 0.02
  return {
    method,
    path: `${path}${query}`,
    headers,
    body,
    mayTakeLong: path === '/admin/stream',
    isHalf,
    ...(isAstray ? {} : { route: drawn }),
    token,
    isFromOtherSite,
  }
}

const STRAY_PATHS = [
  '/admin',
  '/admin/',
  '/admin//dead',
  '/admin/dead/',
  '/admin/DEAD',
  '/admin/%zz',
  '/admin/%00',
  '/admin/..%2f..%2fpackage.json',
  '/admin/dead/redrive/..',
  '/admin/services//pause',
  '/admin/services/post/pause/',
  '/admin/services/post/stop',
  '/admin/topics/post.events',
  '/admin/chain/',
  `/admin/chain/${'x'.repeat(3_000)}`,
  '/page/../../package.json',
  '/page/%2e%2e/%2e%2e/package.json',
  '/*',
]

function pathOf(random: Random, { path }: HttpRoute, { names }: AdminInput): string {
  return path
    .replaceAll(/:(\w+)/g, (_, name: string) => encoded(valueFor(random, name, names)) || 'x')
    .replace('*', () => pick(random, ['', 'index.html', 'x', '.built', '%2e%2e/main.js']))
}

const MOMENTS = ['0', '1', '1700000000000', '99999999999999', String(Number.MAX_SAFE_INTEGER)]
const COUNTS = ['1', '2', '100', '1000', '1001', '0', '-1', '1.5', '1e3', '0x10', '١', 'NaN', '']
const ROUGH = ['', ...COUNTS, ...TEXTS]

/** Values of arguments that are no names. */
const PLAIN: KnownNames = {
  since: MOMENTS,
  until: MOMENTS,
  limit: COUNTS,
  partition: ['0', '1', '7'],
  offset: MOMENTS,
  records: COUNTS,
  perSecond: ['100', '100000'],
  by: ['ada', 'bob', 'ä€😀'],
  reason: ['moved away', 'the server is back', 'ä€😀'],
}

/** Mostly a value that exists; the rest is `rough`. */
function valueFor(random: Random, name: string, names: KnownNames, rough = 0.35): string {
  const all = { ...PLAIN, ...names }
  const known = Object.hasOwn(all, name) ? (all[name] ?? []) : []
  return random() >= rough && known.length > 0 ? pick(random, known) : pick(random, ROUGH)
}

function queryOf(random: Random, route: HttpRoute, { names }: AdminInput): string {
  const own = argumentsOf(route)
  const other = ['x', '__proto__', 'constructor', 'by', 'token']
  const count = 1 + Math.floor(random() * 3)
  const pairs = Array.from({ length: count }, () => {
    const name = own.length > 0 && random() < 0.9 ? pick(random, own) : pick(random, other)
    return `${name}=${encoded(valueFor(random, name, names))}`
  })
  return `?${pairs.join(pick(random, ['&', '&', '&', '&&', ';']))}`
}

function adminHeaders(
  random: Random,
  { token, hasToken }: AdminInput,
): Pick<AdminRequest, 'headers' | 'token' | 'isFromOtherSite'> {
  const headers = headersOf(random)
  const use = tokenUse(random, hasToken)
  if (use === 'right') headers['authorization'] = `${pick(random, ['Bearer', 'bearer'])} ${token}`
  if (use === 'wrong') headers['authorization'] = pick(random, wrongTokens(token))
  if (random() < 0.7) headers['throughline-by'] = pick(random, ['ada', 'a b', 'x'.repeat(500), ''])
  const isFromOtherSite = random() < 0.05
  if (isFromOtherSite) Object.assign(headers, pick(random, OTHER_SITES))
  if (random() < 0.02) headers['content-encoding'] = pick(random, ['gzip', 'identity', 'x'])
  if (random() < 0.02)
    headers['host'] = pick(random, ['evil.example', 'localhost', '', '[::1', '%'])
  return { headers, token: use, isFromOtherSite }
}

const OTHER_SITES = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: '%' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site', origin: 'http://localhost' },
]

function tokenUse(random: Random, hasToken: boolean): TokenUse {
  const chance = random()
  if (hasToken && chance < 0.7) return 'right'
  return chance < 0.85 ? 'wrong' : 'none'
}

const wrongTokens = (token: string): readonly string[] => [
  '',
  'Bearer',
  'Bearer x',
  `Basic ${token}`,
  token,
  `Bearer ${token}x`,
  `Bearer ${token.slice(1)}`,
  `Bearer ${token},`,
  `Bearer x ${token}`,
  `Bearer ${'x'.repeat(4_000)}`,
]

/** A whole number below this is a rate that the caller wants to wait for. */
const SLOW_RATE = 100

function adminBody(random: Random, route: HttpRoute, input: AdminInput): string | Uint8Array {
  const chance = random()
  // Bytes that no UTF-8 text has.
  if (chance < 0.02) return Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x22, 0x7d)
  if (chance < 0.03) return JSON.stringify({ by: 'ada', all: true, key: 'x'.repeat(70_000) })
  if (chance < 0.04) return `${'{"by":'.repeat(3_000)}1${'}'.repeat(3_000)}`
  if (chance < 0.05)
    return JSON.stringify({ by: 'ada', consumer: 'post/mail', id: 'x', data: '"'.repeat(300_000) })
  const example = withoutSlowRate(exampleOf(random, argumentsOf(route), input))
  if (chance < 0.55) return JSON.stringify(example)
  if (chance < 0.85) return JSON.stringify(withoutSlowRate(mutated(random, example, 0.15)))
  return bodyOf(random, example)
}

const NUMBERS = new Set(['since', 'until', 'perSecond'])
/** What a write of one letter is refused without. */
const NEEDED = new Set(['by', 'consumer', 'id', 'data'])

/** A body that a write takes: most of them name a letter that was dead when the block began. */
function exampleOf(random: Random, own: readonly string[], input: AdminInput): object {
  const { letters, names } = input
  if (own.includes('all') && random() < 0.1) return { by: 'ada', reason: 'all of them', all: true }
  const letter: KnownLetter | undefined = random() < 0.7 ? pick(random, letters) : undefined
  const isOfOne = own.includes('id') && !own.includes('all')
  const given = own.flatMap((name): (readonly [string, unknown])[] => {
    const chance = isOfOne && NEEDED.has(name) ? 0.97 : name === 'reason' ? 0.7 : 0.35
    const isGiven = name === 'by' || random() < chance
    if (!isGiven || name === 'all') return []
    const text = letter?.[name as keyof KnownLetter] ?? valueFor(random, name, names, 0.05)
    return [[name, NUMBERS.has(name) && text !== '' ? Number(text) : text]]
  })
  return Object.fromEntries(given)
}

function withoutSlowRate<T>(value: T): T {
  const rate = (value as { perSecond?: unknown } | null)?.perSecond
  const isSlow = Number.isInteger(rate) && (rate as number) > 0 && (rate as number) < SLOW_RATE
  return isSlow ? { ...value, perSecond: SLOW_RATE } : value
}

const POST = 'POST /admin/services/post/pause HTTP/1.1\r\nHost: localhost\r\n'
/** Bytes that are no valid request, or an odd one; none has the token. */
const RAW = [
  'nonsense\r\n\r\n',
  '\r\n\r\n\r\n',
  '\u0000\u0001\u0002',
  'GET /admin/health HTTP/1.1\r\n\r\n',
  'GET /admin/health HTTP/1.1\nHost: localhost\n\n',
  'GET /admin/health HTTP/9.9\r\nHost: localhost\r\n\r\n',
  'GET http://evil.example/admin/health HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET * HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET admin HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /admin/find?text=\u00ff\u00fe HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /admin/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'GET /admin/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
  `GET /admin/health HTTP/1.1\r\nHost: localhost\r\nX-Odd: ${'x'.repeat(20_000)}\r\n\r\n`,
  `${POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{"a":1`,
  `${POST}Content-Length: -1\r\n\r\n`,
  `${POST}Content-Length: 99999999999999999999\r\n\r\n{}`,
  `${POST}Content-Length: 50\r\nContent-Type: application/json\r\n\r\n{"by":`,
  `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{}`,
  // A second request inside what one of two lengths calls the body.
  `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${POST}\r\n`,
  `${POST}Content-Length: 0\r\n\r\n${POST}Content-Length: 0\r\n\r\n`,
]

function rawRequest(random: Random): AdminRequest {
  const whole = pick(random, RAW)
  const raw = random() < 0.2 ? whole.slice(0, Math.floor(random() * whole.length)) : whole
  const rest = { method: 'GET', path: '', headers: {}, body: undefined }
  return { ...rest, raw, mayTakeLong: false, token: 'none', isFromOtherSite: false }
}
