import { sleep, systemClock } from '../base/time/clock.ts'
import type { Issue, FaultCode } from '../base/errors/fault.ts'
import { Fault, FAULTS } from '../base/errors/fault.ts'
import { createIdGenerator } from '../base/id-generator.ts'
import { systemRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import type {
  AnswerOf,
  RefusalCodeOf,
  CommandType,
  DataOf,
  QueryType,
} from '../contract/message.ts'
import type { AcceptedResult, OperationState, SettledResult } from '../engine/producer/index.ts'
import { headerOfKey } from './routing/idempotency-key.ts'
import type { OperationView, Until } from './handlers/operations.ts'

/** An error answer whose code is not a fault code: one of HTTP itself, or of a newer server. */
export class Problem extends Error {
  override readonly name = 'Problem'
  /** `UNREACHABLE` without an answer; `UNREADABLE` if the answer did not come from a gateway. */
  readonly code: string
  readonly status: number | undefined
  readonly issues: readonly Issue[]
  readonly ids: Readonly<Record<string, string>>

  constructor(code: string, details: ProblemDetails) {
    super(`${code}: ${details.detail}`, { cause: details.cause })
    this.code = code
    this.status = details.status
    this.issues = details.issues ?? []
    this.ids = details.ids ?? {}
  }
}

/** The content of a `Problem`. */
export interface ProblemDetails {
  readonly detail: string
  readonly status?: number
  readonly issues?: readonly Issue[]
  readonly ids?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A command that a gateway has stored. */
export interface RemoteOperation<R extends string = string> {
  readonly id: string
  /** Pass it again to repeat the call: the command takes effect once. */
  readonly idempotencyKey: string
  /** The command was sent before under this key. */
  readonly isDuplicate: boolean
  /** The current state, without waiting. */
  state(options?: CallOptions): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or it was refused. */
  accepted(options?: CallOptions): Promise<AcceptedResult<R>>
  /** Resolves once the command and every saga that its events started have finished. */
  settled(options?: CallOptions): Promise<SettledResult<R>>
  /**
   * Read your own writes: resolves once a query through the gateway sees what the command's unit
   * published; see `Operation`. Waits for the projections of the app that owns the contract.
   */
  projected(options?: CallOptions): Promise<AcceptedResult<R>>
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface CommandOptions extends CallOptions {
  /** 1 to 128 visible ASCII characters. Default: a new key. */
  readonly idempotencyKey?: string
}

type Call<T> = T extends CommandType
  ? (data: DataOf<T>, options?: CommandOptions) => Promise<RemoteOperation<RefusalCodeOf<T>>>
  : T extends QueryType
    ? (data: DataOf<T>, options?: CallOptions) => Promise<AnswerOf<T>>
    : never

type Calls<X> = {
  readonly [
    N in keyof X & string as X[N] extends CommandType | QueryType
      ? N extends Capitalize<N>
        ? Uncapitalize<N>
        : never
      : never
  ]: Call<X[N]>
}
type ContractNameOf<X> = X[keyof X] extends infer T
  ? T extends { readonly contract: infer C extends string }
    ? C
    : never
  : never

/** The contracts that a module exports, by contract name, with a function for each message. */
export type Client<M> = {
  readonly [K in keyof M as M[K] extends AnyContract ? ContractNameOf<M[K]> : never]: Calls<M[K]>
}

export interface ClientOptions {
  readonly token?: string
  /** Default: the global `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>
}

/**
 * A typed client for a gateway's `/messages/…`. It needs the types of the contracts only, not their
 * code: `client<typeof contracts>(url).ordering.placeOrder({ … })`.
 *
 * The client does not retry. Each command has an idempotency key, yours or a new one; the answer
 * has it, and so have the `ids` of a thrown error. Call again with that key, and the command takes
 * effect once. Throws `Fault` for a fault code of the gateway, and `Problem` otherwise.
 */
export function client<M>(url: string, options: ClientOptions = {}): Client<M> {
  const send = createSender(url, options)
  const createId = createIdGenerator(systemClock(), systemRandom)
  return lazyMembers((contract) =>
    lazyMembers((method) => {
      const path = `/messages/${contract}/${method.charAt(0).toUpperCase()}${method.slice(1)}`
      return async (data: unknown, given: CommandOptions = {}): Promise<unknown> => {
        const { idempotencyKey = createId(), signal } = given
        const answer = await send({ path, data, idempotencyKey, signal })
        if (answer.status !== 202) return answer.value
        return remoteOperation(send, answer, idempotencyKey)
      }
    }),
  ) as Client<M>
}

/** An object that creates each member on first access, from its name. */
function lazyMembers(make: (name: string) => unknown): object {
  const made = new Map<string, unknown>()
  return new Proxy(Object.freeze(Object.create(null) as object), {
    get(_, name) {
      // Without `then`, `await` does not mistake the client for a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined
      if (!made.has(name)) made.set(name, make(name))
      return made.get(name)
    },
  })
}

interface ClientRequest {
  readonly path: string
  readonly data?: unknown
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal | undefined
}
interface ClientResponse {
  readonly status: number
  readonly value: unknown
  readonly headers: Headers
}
type SendRequest = (asking: ClientRequest) => Promise<ClientResponse>

function createSender(url: string, { token, fetch: send = fetch }: ClientOptions): SendRequest {
  const origin = url.replace(/\/+$/, '')
  return async ({ path, data, idempotencyKey, signal }) => {
    const ids = idempotencyKey === undefined ? {} : { idempotencyKey }
    const request = new Request(`${origin}${path}`, {
      method: idempotencyKey === undefined ? 'GET' : 'POST',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(idempotencyKey === undefined
          ? {}
          : { 'content-type': 'application/json', 'idempotency-key': headerOfKey(idempotencyKey) }),
      },
      ...(idempotencyKey === undefined ? {} : { body: JSON.stringify(data) ?? 'null' }),
      ...(signal ? { signal } : {}),
    })
    let response: Response
    let text: string
    try {
      response = await send(request)
      text = await response.text()
    } catch (cause) {
      signal?.throwIfAborted()
      throw new Problem('UNREACHABLE', { detail: `${origin} did not answer`, ids, cause })
    }
    const { status, headers } = response
    const value = parseJson(text, status, ids)
    // A query without a result is answered 404 with this code; it is not an error of the caller.
    if (isNothingFound(value)) return { status, value: null, headers }
    if (!response.ok) throw errorFor(value, status, ids)
    return { status, value, headers }
  }
}

function isNothingFound(value: unknown): boolean {
  return (value as { readonly code?: unknown } | null)?.code === 'NOTHING_FOUND'
}

function parseJson(text: string, status: number, ids: Readonly<Record<string, string>>): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const detail = `the answer with status ${status} is not JSON`
    throw new Problem('UNREADABLE', { detail, status, ids, cause })
  }
}

/** The error to throw for a problem body. */
function errorFor(
  value: unknown,
  status: number,
  callIds: Readonly<Record<string, string>>,
): Fault | Problem {
  const problem = (value ?? {}) as Partial<ProblemDetails & { readonly code: string }>
  const { code = 'UNREADABLE', detail = `the status is ${status}`, issues = [] } = problem
  const details = { detail, issues, ids: { ...problem.ids, ...callIds }, status }
  return Object.hasOwn(FAULTS, code)
    ? new Fault(code as FaultCode, details)
    : new Problem(code, details)
}

/** The longest wait that a gateway allows, in seconds. */
const WAIT_SECONDS = 60
/** Delay between two requests, in case the server answers before the wait is over. */
const POLL_MS = 100

function remoteOperation(
  send: SendRequest,
  { value, headers }: ClientResponse,
  idempotencyKey: string,
): RemoteOperation {
  const { id } = value as { readonly id: string }
  const path = `/operations/${encodeURIComponent(id)}`
  const ask = async (query: string, { signal }: CallOptions): Promise<Looked> => {
    const answer = await send({ path: `${path}${query}`, signal })
    const { id: _id, command: _command, isProjected, ...state } = answer.value as OperationView
    return { state: state as OperationState, isProjected: isProjected === true }
  }
  /** Polls until the operation has reached `until`. */
  const wait = async (
    until: Until,
    hasCome: (looked: Looked) => boolean,
    options: CallOptions = {},
  ): Promise<OperationState> => {
    for (;;) {
      options.signal?.throwIfAborted()
      const looked = await ask(`?wait=${WAIT_SECONDS}&until=${until}`, options)
      if (hasCome(looked)) return looked.state
      await sleep(systemClock(), POLL_MS, options.signal)
    }
  }
  const isAccepted = ({ state }: Looked): boolean => state.status !== 'pending' || state.isAccepted
  return {
    id,
    idempotencyKey,
    isDuplicate: headers.get('idempotency-replayed') === 'true',
    state: async (options = {}) => (await ask('', options)).state,
    accepted: async (options) => acceptedIn(await wait('accepted', isAccepted, options)),
    settled: async (options) =>
      (await wait('settled', ({ state }) => state.status !== 'pending', options)) as SettledResult,
    projected: async (options) =>
      acceptedIn(await wait('projected', ({ isProjected }) => isProjected, options)),
  }
}

interface Looked {
  readonly state: OperationState
  readonly isProjected: boolean
}

function acceptedIn(state: OperationState): AcceptedResult {
  const isEnd = state.status === 'refused' || state.status === 'failed'
  return isEnd ? (state as AcceptedResult) : { status: 'accepted' }
}
