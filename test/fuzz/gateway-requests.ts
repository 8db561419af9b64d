// Random requests to a gateway that is described by OpenAPI.
import type { Random } from '../../src/base/random.ts'
import type { OpenApi } from 'throughline/gateway'
import { bodyOf, encoded, headersOf, METHODS, pick, TEXTS } from './random-values.ts'
import type { FuzzAnswer, FuzzRequest, FuzzTarget } from './send-fuzz.ts'

/** @param always sent with every request, such as a token */
export function gatewayTarget(
  openapi: OpenApi,
  always: Readonly<Record<string, string>> = {},
): FuzzTarget {
  const paths = describedPaths(openapi)
  return { createRequest: (random) => createRequest(random, paths, always), flawOf }
}

function flawOf({ method }: FuzzRequest, { status, text }: FuzzAnswer): string | undefined {
  const isStopping = status === 503 && text.includes('APP_STOPPING')
  if (status >= 500) return isStopping ? undefined : `${status} ${text}`
  // An answer to HEAD has no body.
  const isProblem = method === 'HEAD' || /^\{"type":"urn:throughline:problem:[A-Z_]+"/.test(text)
  return status >= 400 && !isProblem ? `no problem: ${text}` : undefined
}

interface DescribedPath {
  readonly method: string
  readonly path: string
  readonly query: readonly string[]
  readonly example: unknown
}

function describedPaths({ paths }: OpenApi): readonly DescribedPath[] {
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
const IDEMPOTENCY_KEYS = [
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
]

function createRequest(
  random: Random,
  paths: readonly DescribedPath[],
  always: Readonly<Record<string, string>>,
): FuzzRequest {
  const described = pick(random, paths)
  const method = random() < 0.1 ? pick(random, METHODS) : described.method
  const query = random() < 0.4 ? queryOf(random, described) : ''
  const path = random() < 0.05 ? pick(random, PATHS) : pathOf(random, described.path)
  const headers = { ...gatewayHeaders(random), ...always }
  const mayHaveBody = method !== 'GET' && method !== 'HEAD'
  const body = mayHaveBody && random() < 0.95 ? bodyOf(random, described.example) : undefined
  const mayTakeLong = query.includes('wait=') || headers['accept'] === 'text/event-stream'
  return { method, path: `${path}${query}`, headers, body, mayTakeLong }
}

function pathOf(random: Random, path: string): string {
  return path.replaceAll(/\{\w+\}/g, () => encoded(pick(random, TEXTS)) || 'x')
}

function queryOf(random: Random, { query }: DescribedPath): string {
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

function gatewayHeaders(random: Random): Record<string, string> {
  const headers = headersOf(random)
  if (random() < 0.3) headers['idempotency-key'] = pick(random, IDEMPOTENCY_KEYS)
  if (random() < 0.1) headers['traceparent'] = pick(random, ['00-0-0-00', 'x', '', '0'.repeat(55)])
  if (random() < 0.05) headers['throughline-forwards'] = pick(random, ['0', '1', '-1', 'x', '1e99'])
  return headers
}
