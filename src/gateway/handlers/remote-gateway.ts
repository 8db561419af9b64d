import type { Clock } from '../../base/time/clock.ts'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { AnyContract, ContractDefinition } from '../../contract/contract.ts'
import { definitionOf } from '../../contract/contract.ts'
import { readBytes } from '../../http/body.ts'
import { problem } from '../../http/problem.ts'
import { respond } from '../../http/response.ts'

/** A contract whose owner runs behind another gateway. This gateway forwards its messages there. */
export interface RemoteContract {
  readonly contract: AnyContract
  /** The URL of that gateway, such as `http://127.0.0.1:4501`. It must expose the contract. */
  readonly url: string
  /** The token of that gateway, sent as `Authorization: Bearer`. */
  readonly token?: string
}

/** A request to another gateway. */
export interface ForwardedRequest {
  readonly method: 'GET' | 'POST'
  /** Path with the query string. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Longest time until the answer, in milliseconds. */
  readonly deadlineMs: number
  /** Cancels the request. */
  readonly signal?: AbortSignal
}

/** Another gateway, and the contracts that are forwarded to it. */
export interface RemoteGateway {
  readonly contracts: readonly ContractDefinition[]
  forward(handing: ForwardedRequest): Promise<Response>
}

/** How often a request may be forwarded. Stops a loop of gateways that name each other. */
const FORWARDS_MAX = 4
const FORWARDS_HEADER = 'throughline-forwards'

/** The headers of a forwarded request, or `undefined` once it was forwarded too often. */
export function forwardHeaders(
  request: Request,
): { readonly count: number; readonly headers: Record<string, string> } | undefined {
  const value = request.headers.get(FORWARDS_HEADER) ?? ''
  // A value that no gateway sends counts as 0.
  const count = /^\d$/.test(value) ? Number(value) : 0
  if (count >= FORWARDS_MAX) return undefined
  return { count, headers: { [FORWARDS_HEADER]: String(count + 1) } }
}

export function forwardingLoop(): Response {
  return problem('REMOTE_LOOP', { detail: `the request was forwarded ${FORWARDS_MAX} times` })
}

/**
 * The gateways that messages are forwarded to, by contract name.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function createRemoteGateways(
  remote: readonly RemoteContract[],
  clock: Clock,
): ReadonlyMap<string, RemoteGateway> {
  const issues: Issue[] = []
  const byName = new Map<string, RemoteGateway>()
  const byUrl = new Map<string, RemoteGateway & { contracts: ContractDefinition[] }>()
  for (const [index, { contract, url, token }] of remote.entries()) {
    const facts = definitionOf(contract)
    const origin = originOf(url)
    const path = `remote[${index}]`
    if (origin === undefined)
      issues.push({
        path: `${path}.url`,
        message: 'must be the http or https URL of a gateway',
      })
    else if (byName.has(facts.name)) issues.push({ path, message: `${facts.name} is listed twice` })
    else {
      const id = `${origin} ${token}`
      const known = byUrl.get(id) ?? createRemoteGateway(origin, token, clock)
      byUrl.set(id, known)
      known.contracts.push(facts)
      byName.set(facts.name, known)
    }
  }
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'gateway', issues })
  return byName
}

/** The base URL that paths are appended to; none if the text is not an http or https URL. */
function originOf(at: string): string | undefined {
  if (!URL.canParse(at)) return undefined
  const { protocol, origin, pathname, username } = new URL(at)
  if ((protocol !== 'http:' && protocol !== 'https:') || username !== '') return undefined
  return `${origin}${pathname.replace(/\/+$/, '')}`
}

function createRemoteGateway(
  origin: string,
  token: string | undefined,
  clock: Clock,
): RemoteGateway & { contracts: ContractDefinition[] } {
  const contracts: ContractDefinition[] = []
  return { contracts, forward: createForward(origin, token, clock, contracts) }
}

/** One retry. It is safe, since the idempotency key stays the same. */
const ATTEMPTS = 2

function createForward(
  origin: string,
  token: string | undefined,
  clock: Clock,
  contracts: readonly ContractDefinition[],
): RemoteGateway['forward'] {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  return async ({ method, path, headers, body, deadlineMs, signal }) => {
    const isKeyed = 'idempotency-key' in headers
    const unreachable = (reason: string): Response => unreachableProblem(contracts, reason, isKeyed)
    const late = new AbortController()
    const cancel = clock.after(deadlineMs, () => late.abort())
    const either = signal ? AbortSignal.any([late.signal, signal]) : late.signal
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const response = await fetch(`${origin}${path}`, {
            method,
            headers: { ...headers, ...authorization },
            redirect: 'error',
            signal: either,
            ...(body === undefined ? {} : { body }),
          })
          return (
            (await relayAnswer(response, signal)) ??
            unreachable('the answer did not come from a gateway')
          )
        } catch (cause) {
          if (late.signal.aborted) return unreachable(`no answer within ${deadlineMs} ms`)
          if (either.aborted || attempt === ATTEMPTS) return unreachable(reasonOf(cause))
        }
      }
    } finally {
      cancel()
    }
  }
}

/** Names the contracts of the gateway, but not its URL, which clients must not learn. */
function unreachableProblem(
  contracts: readonly ContractDefinition[],
  reason: string,
  isKeyed: boolean,
): Response {
  const names = contracts.map(({ name }) => name).join(', ')
  const again = isKeyed ? '; retry with the same Idempotency-Key' : ''
  return problem('REMOTE_UNREACHABLE', {
    detail: `the gateway of ${names}: ${reason}${again}`,
    ids: { contracts: names },
  })
}

function reasonOf(cause: unknown): string {
  const { code } = ((cause as Error).cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : 'the connection failed'
}

const RELAYED_HEADERS = [
  'content-type',
  'cache-control',
  'location',
  'retry-after',
  'idempotency-replayed',
]
const ANSWER_BYTES_MAX = 16_777_216

/** The answer of another gateway as an answer of this one; `undefined` if no gateway sent it. */
async function relayAnswer(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<Response | undefined> {
  const { status } = response
  const headers: Record<string, string> = {}
  for (const name of RELAYED_HEADERS) {
    const value = response.headers.get(name)
    if (value !== null) headers[name] = value
  }
  const type = headers['content-type'] ?? ''
  if (type.startsWith('text/event-stream') && response.body)
    return new Response(relayStream(response.body, signal), { status, headers })
  const isOurs = /^application\/(?:problem\+)?json\b/.test(type)
  // The other gateway refused this gateway's own token or host: the client can do nothing about it.
  if (!isOurs || status === 401 || status === 421) {
    await response.body?.cancel()
    return undefined
  }
  const bytes = await readBytes(response.body, ANSWER_BYTES_MAX)
  return bytes && respond(status, headers, bytes)
}

/**
 * The stream of another gateway, read as far as the client reads. Cancelling it cancels the other one,
 * also before the first read.
 */
function relayStream(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (cause) {
          // If the other gateway ends the stream early, end ours: the client reconnects.
          if (signal?.aborted || cause instanceof TypeError) controller.close()
          else controller.error(cause)
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
