import type { Clock } from '../base/clock.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { AnyContract, ContractFacts } from '../contract/contract.ts'
import { factsOf } from '../contract/contract.ts'
import { readBytes } from '../http/body.ts'
import { problem } from '../http/problem.ts'
import { respond } from '../http/response.ts'

/** A contract whose owner runs behind another gateway. */
export interface Elsewhere {
  readonly contract: AnyContract
  /** Where that gateway listens, such as `http://127.0.0.1:4501`; it must open the contract. */
  readonly at: string
  /** What that gateway asks for as `Authorization: Bearer`. */
  readonly token?: string
}

/** What is asked of another gateway. */
export interface Handing {
  readonly method: 'GET' | 'POST'
  /** With the query string. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** How long it may take to answer, in milliseconds. */
  readonly deadlineMs: number
  /** Ends it early. */
  readonly signal?: AbortSignal
}

/** Another gateway, and the contracts that it answers for here. */
export interface Neighbour {
  readonly contracts: readonly ContractFacts[]
  hand(handing: Handing): Promise<Response>
}

/** How often a request may be handed on, so that gateways that name each other cannot circle. */
const HANDINGS_MAX = 4
const HANDINGS = 'throughline-handings'

/** The headers that every handing carries, or that there were too many already. */
export function handingHeaders(
  request: Request,
): { readonly count: number; readonly headers: Record<string, string> } | undefined {
  const told = request.headers.get(HANDINGS) ?? ''
  // What no gateway would say counts for nothing: the next one is told a number again.
  const count = /^\d$/.test(told) ? Number(told) : 0
  if (count >= HANDINGS_MAX) return undefined
  return { count, headers: { [HANDINGS]: String(count + 1) } }
}

export function tooOften(): Response {
  return problem('ELSEWHERE_LOOP', { detail: `it was handed on ${HANDINGS_MAX} times` })
}

/**
 * Everyone that contracts are handed on to, by the name of the contract.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function neighboursOf(
  elsewhere: readonly Elsewhere[],
  clock: Clock,
): ReadonlyMap<string, Neighbour> {
  const complaints: Complaint[] = []
  const byName = new Map<string, Neighbour>()
  const byUrl = new Map<string, Neighbour & { contracts: ContractFacts[] }>()
  for (const [index, { contract, at, token }] of elsewhere.entries()) {
    const facts = factsOf(contract)
    const origin = originOf(at)
    const path = `elsewhere[${index}]`
    if (origin === undefined)
      complaints.push({ path: `${path}.at`, message: 'must be the http or https URL of a gateway' })
    else if (byName.has(facts.name))
      complaints.push({ path, message: `${facts.name} is handed on already` })
    else {
      const id = `${origin} ${token}`
      const known = byUrl.get(id) ?? neighbourAt(origin, token, clock)
      byUrl.set(id, known)
      known.contracts.push(facts)
      byName.set(facts.name, known)
    }
  }
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'gateway', complaints })
  return byName
}

/** The part of a URL that paths are put behind. */
function originOf(at: string): string | undefined {
  if (!URL.canParse(at)) return undefined
  const { protocol, origin, pathname, username } = new URL(at)
  if ((protocol !== 'http:' && protocol !== 'https:') || username !== '') return undefined
  return `${origin}${pathname.replace(/\/+$/, '')}`
}

function neighbourAt(
  origin: string,
  token: string | undefined,
  clock: Clock,
): Neighbour & { contracts: ContractFacts[] } {
  const contracts: ContractFacts[] = []
  return { contracts, hand: handTo(origin, token, clock, contracts) }
}

/** Once more, at most: what it carries takes effect once. */
const ATTEMPTS = 2

function handTo(
  origin: string,
  token: string | undefined,
  clock: Clock,
  contracts: readonly ContractFacts[],
): Neighbour['hand'] {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` }
  return async ({ method, path, headers, body, deadlineMs, signal }) => {
    const isKeyed = 'idempotency-key' in headers
    const unreachable = (reason: string): Response => unreachableBy(contracts, reason, isKeyed)
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
            (await handedOn(response, signal)) ??
            unreachable('its answer is no answer of a gateway')
          )
        } catch (cause) {
          if (late.signal.aborted) return unreachable(`it did not answer within ${deadlineMs} ms`)
          if (either.aborted || attempt === ATTEMPTS) return unreachable(reasonOf(cause))
        }
      }
    } finally {
      cancel()
    }
  }
}

/** Says whose gateway it is, and not where: that is nobody's business outside. */
function unreachableBy(
  contracts: readonly ContractFacts[],
  reason: string,
  isKeyed: boolean,
): Response {
  const names = contracts.map(({ name }) => name).join(', ')
  const again = isKeyed ? '; the same key again is safe' : ''
  return problem('ELSEWHERE_UNREACHABLE', {
    detail: `the gateway of ${names}: ${reason}${again}`,
    ids: { contracts: names },
  })
}

function reasonOf(cause: unknown): string {
  const { code } = ((cause as Error).cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : 'the connection broke'
}

const HANDED_ON = [
  'content-type',
  'cache-control',
  'location',
  'retry-after',
  'idempotency-replayed',
]
const ANSWER_BYTES_MAX = 16_777_216

/** An answer of a gateway as our own; `undefined` where it is none. */
async function handedOn(
  response: Response,
  signal: AbortSignal | undefined,
): Promise<Response | undefined> {
  const { status } = response
  const headers: Record<string, string> = {}
  for (const name of HANDED_ON) {
    const value = response.headers.get(name)
    if (value !== null) headers[name] = value
  }
  const type = headers['content-type'] ?? ''
  if (type.startsWith('text/event-stream') && response.body)
    return new Response(ReadableStream.from(chunksOf(response.body, signal)), { status, headers })
  const isOurs = /^application\/(?:problem\+)?json\b/.test(type)
  // A token that is refused there is a matter of this gateway, not of its client.
  if (!isOurs || status === 401 || status === 421) {
    await response.body?.cancel()
    return undefined
  }
  const bytes = await readBytes(response.body, ANSWER_BYTES_MAX)
  return bytes && respond(status, headers, bytes)
}

async function* chunksOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* body
  } catch (cause) {
    // A stream that breaks off there ends here; its client connects again.
    if (!signal?.aborted && !(cause instanceof TypeError)) throw cause
  }
}
