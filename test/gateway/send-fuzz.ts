// Sends seeded random requests to a gateway that is described by OpenAPI, and reports what no input
// may cause: a server error, a dropped connection, a slow answer.
import { Agent, request as ask } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Random } from '../../src/base/random.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { OpenApi } from 'throughline/gateway'

export interface FuzzOptions {
  readonly seed: number
  readonly requests: number
  /** Concurrent requests. Default: 16. */
  readonly width?: number
  /** Sent with every request, such as a token. */
  readonly headers?: Readonly<Record<string, string>>
  /** Longest time for an answer, not counting `?wait` and streams. Default: 1,000. */
  readonly slowMs?: number
}

export interface FuzzReport {
  readonly requests: number
  /** The number of answers by status. */
  readonly statuses: Readonly<Record<string, number>>
  /** What must not happen, each with its request; the first 100. */
  readonly findings: readonly string[]
}

interface FuzzRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly mayTakeLong: boolean
}

const FINDINGS_MAX = 100
const STREAM_MS = 20

/** The same seed sends the same requests. */
export async function fuzz(
  origin: string,
  openapi: OpenApi,
  { seed, requests, width = 16, headers = {}, slowMs = 1_000 }: FuzzOptions,
): Promise<FuzzReport> {
  const random = seededRandom(seed)
  const agent = new Agent({ keepAlive: true, maxSockets: width })
  const statuses: Record<string, number> = {}
  const findings: string[] = []
  const targets = targetsOf(openapi)
  const find = (shot: FuzzRequest, what: string): void => {
    if (findings.length >= FINDINGS_MAX) return
    findings.push(`${what}: ${shot.method} ${shot.path.slice(0, 200)} ${shot.body?.slice(0, 200)}`)
  }
  let left = requests
  const shoot = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const shot = createFuzzRequest(random, targets, headers)
      const begunAt = performance.now()
      try {
        const { status, text } = await send(origin, agent, shot)
        statuses[status] = (statuses[status] ?? 0) + 1
        const isStopping = status === 503 && text.includes('APP_STOPPING')
        if (status >= 500 && !isStopping) find(shot, `${status} ${text}`)
        if (status >= 400 && status < 500 && !isProblem(text, shot))
          find(shot, `no problem: ${text}`)
      } catch (cause) {
        find(shot, `no answer: ${(cause as Error).message}`)
      }
      const tookMs = performance.now() - begunAt
      if (tookMs > slowMs && !shot.mayTakeLong) find(shot, `took ${Math.round(tookMs)} ms`)
    }
  }
  try {
    await Promise.all(Array.from({ length: width }, shoot))
  } finally {
    agent.destroy()
  }
  return { requests, statuses, findings }
}

/** Whether an error answer is a problem; an answer to HEAD has no body. */
function isProblem(text: string, { method }: FuzzRequest): boolean {
  return method === 'HEAD' || /^\{"type":"urn:throughline:problem:[A-Z_]+"/.test(text)
}

function send(
  origin: string,
  agent: Agent,
  { method, path, headers, body }: FuzzRequest,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(origin)
    const sent = ask(
      { agent, hostname, port, method, path, headers },
      (answer: IncomingMessage) => {
        let text = ''
        const done = (): void => resolve({ status: answer.statusCode ?? 0, text })
        answer.setEncoding('utf8')
        answer.on('data', (chunk: string) => (text += chunk))
        answer.on('end', done)
        answer.on('error', reject)
        if (answer.headers['content-type'] === 'text/event-stream')
          setTimeout(() => {
            done()
            answer.destroy()
          }, STREAM_MS)
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

interface Target {
  readonly method: string
  readonly path: string
  readonly query: readonly string[]
  readonly example: unknown
}

function targetsOf({ paths }: OpenApi): readonly Target[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const { parameters = [], requestBody } = operation as {
        parameters?: readonly { name: string; in: string }[]
        requestBody?: { content: Record<string, { example: unknown }> }
      }
      const query = parameters.filter((each) => each.in === 'query').map(({ name }) => name)
      const example = requestBody?.content['application/json']?.example
      return { method: method.toUpperCase(), path, query, example }
    }),
  )
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY']
const PATHS = [
  '/',
  '//',
  '/%zz',
  '/%00',
  '/..%2f..',
  '/operations/',
  '/messages/ordering',
  '/*',
  '/?',
]
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'application/x+json',
  'text/plain',
  'application/xml',
  'nonsense',
  ';;;',
]
const TEXTS = [
  '',
  'a',
  '0',
  '-1',
  'null',
  'o-1',
  '__proto__',
  'constructor',
  'x'.repeat(300),
  'x'.repeat(2_000),
  '\u0000',
  '\ud800',
  'ä€😀',
  '../..',
  '%',
  '"',
  '\\',
  'ordering.PlaceOrder:k',
  '1e999',
  ' ',
  '\n',
  '7',
  'true',
  '[1]',
  '[[[[[[',
  '{"__proto__":{"a":1},"constructor":1}',
]
const VALUES = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  1.5,
  2 ** 53,
  1e300,
  '',
  [],
  {},
  [[]],
  [null],
  { is: 'x' },
]

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

function createFuzzRequest(
  random: Random,
  targets: readonly Target[],
  always: Readonly<Record<string, string>>,
): FuzzRequest {
  const target = pick(random, targets)
  const method = random() < 0.1 ? pick(random, METHODS) : target.method
  const query = random() < 0.4 ? queryOf(random, target) : ''
  const path = random() < 0.05 ? pick(random, PATHS) : pathOf(random, target.path)
  const headers = { ...headersOf(random), ...always }
  const mayHaveBody = method !== 'GET' && method !== 'HEAD'
  const body = mayHaveBody && random() < 0.95 ? bodyOf(random, target.example) : undefined
  const mayTakeLong = query.includes('wait=') || headers['accept'] === 'text/event-stream'
  return { method, path: `${path}${query}`, headers, body, mayTakeLong }
}

function pathOf(random: Random, path: string): string {
  return path.replaceAll(/\{\w+\}/g, () => encoded(pick(random, TEXTS)) || 'x')
}

function queryOf(random: Random, { query }: Target): string {
  const names = [...query, 'wait', 'x', '__proto__']
  const count = 1 + Math.floor(random() * 3)
  const pairs = Array.from({ length: count }, () => {
    const name = pick(random, names)
    // No long waits: they would only slow the test down.
    const value =
      name === 'wait' ? pick(random, ['0', '0', '-1', '61', 'x', '']) : pick(random, TEXTS)
    return `${name}=${encoded(value)}`
  })
  return `?${pairs.join('&')}`
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function headersOf(random: Random): Record<string, string> {
  const headers: Record<string, string> = {}
  headers['content-type'] = random() < 0.85 ? 'application/json' : pick(random, TYPES)
  if (random() < 0.3)
    headers['idempotency-key'] = pick(random, [
      'k',
      'k2',
      'x'.repeat(128),
      'x'.repeat(129),
      'a b',
      '',
      '"k"',
      '"k',
      '""',
      '"a\\"b";c=1',
    ])
  if (random() < 0.1)
    headers['accept'] = pick(random, ['text/event-stream', '*/*', 'x', '', ';q=,;'])
  if (random() < 0.1) headers['traceparent'] = pick(random, ['00-0-0-00', 'x', '', '0'.repeat(55)])
  if (random() < 0.05) headers['throughline-forwards'] = pick(random, ['0', '1', '-1', 'x', '1e99'])
  if (random() < 0.05) headers['x-odd'] = 'x'.repeat(Math.floor(random() * 4_000))
  return headers
}

function bodyOf(random: Random, example: unknown): string {
  const chance = random()
  if (chance < 0.05)
    return pick(random, ['', '{', '[', '"', 'nul', '{"a":1,}', '\u0000', '\ufeff{}'])
  if (chance < 0.08) return `${'['.repeat(5_000)}${']'.repeat(5_000)}`
  if (chance < 0.1) return `{"a":"${'x'.repeat(200_000)}"}`
  if (chance < 0.12) return '{"__proto__":{"x":1},"constructor":1,"toJSON":2}'
  const text = JSON.stringify(chance < 0.4 ? example : mutated(random, example, 0.3)) ?? 'null'
  if (chance > 0.95) return text.slice(0, Math.floor(random() * text.length))
  return text
}

/** The value with some of its parts replaced, removed or added. */
function mutated(random: Random, value: unknown, rate: number): unknown {
  if (random() < rate) return random() < 0.5 ? pick(random, VALUES) : pick(random, TEXTS)
  if (Array.isArray(value)) {
    const list = value.map((each) => mutated(random, each, rate))
    return random() < 0.2 ? [...list, ...list, pick(random, VALUES)] : list
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(() => random() > 0.1)
    .map(([name, member]) => [name, mutated(random, member, rate)])
  if (random() < 0.1) entries.push([pick(random, TEXTS), pick(random, VALUES)])
  return Object.fromEntries(entries)
}
