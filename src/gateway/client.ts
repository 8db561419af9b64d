import { pause, systemClock } from '../base/clock.ts'
import type { Complaint, FaultCode } from '../base/fault.ts'
import { Fault, FAULTS } from '../base/fault.ts'
import { idMaker } from '../base/id.ts'
import { systemRandom } from '../base/random.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { AnswerOf, CodeOf, CommandType, DataOf, QueryType } from '../contract/message.ts'
import type { Accepted, OperationState, Settled } from '../engine/operations.ts'
import { headerOfKey } from './idempotency-key.ts'
import type { OperationView, Until } from './operations.ts'

/** An error answer whose code is not a fault code: one of HTTP itself, or of a newer server. */
export class Problem extends Error {
  override readonly name = 'Problem'
  /** `UNREACHABLE` without an answer; `UNREADABLE` if the answer did not come from a gateway. */
  readonly code: string
  readonly status: number | undefined
  readonly complaints: readonly Complaint[]
  readonly ids: Readonly<Record<string, string>>

  constructor(code: string, about: ProblemAbout) {
    super(`${code}: ${about.detail}`, { cause: about.cause })
    this.code = code
    this.status = about.status
    this.complaints = about.complaints ?? []
    this.ids = about.ids ?? {}
  }
}

/** The content of a `Problem`. */
export interface ProblemAbout {
  readonly detail: string
  readonly status?: number
  readonly complaints?: readonly Complaint[]
  readonly ids?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A command that a gateway has stored. */
export interface RemoteOperation<R extends string = string> {
  readonly id: string
  /** Pass it again to repeat the call: the command takes effect once. */
  readonly idempotencyKey: string
  /** The command was sent before under this key. */
  readonly isRepeat: boolean
  /** The current state, without waiting. */
  look(options?: CallOptions): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or it was refused. */
  accepted(options?: CallOptions): Promise<Accepted<R>>
  /** Resolves once the command and every saga that its events started have finished. */
  settled(options?: CallOptions): Promise<Settled<R>>
  /**
   * Read your own writes: resolves once a query through the gateway sees what the command's unit
   * published; see `Operation`. Waits for the projections of the app that owns the contract.
   */
  projected(options?: CallOptions): Promise<Accepted<R>>
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface CommandOptions extends CallOptions {
  /** 1 to 128 visible ASCII characters. Default: a new key. */
  readonly idempotencyKey?: string
}

type Call<T> = T extends CommandType
  ? (data: DataOf<T>, options?: CommandOptions) => Promise<RemoteOperation<CodeOf<T>>>
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
type NameOf<X> = X[keyof X] extends infer T
  ? T extends { readonly contract: infer C extends string }
    ? C
    : never
  : never

/** The contracts that a module exports, by contract name, with a function for each message. */
export type Client<M> = {
  readonly [K in keyof M as M[K] extends AnyContract ? NameOf<M[K]> : never]: Calls<M[K]>
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
  const caller = callerOf(url, options)
  const mint = idMaker(systemClock(), systemRandom)
  return named((contract) =>
    named((method) => {
      const path = `/messages/${contract}/${method.charAt(0).toUpperCase()}${method.slice(1)}`
      return async (data: unknown, given: CommandOptions = {}): Promise<unknown> => {
        const { idempotencyKey = mint(), signal } = given
        const answer = await caller({ path, data, idempotencyKey, signal })
        if (answer.status !== 202) return answer.value
        return operationOf(caller, answer, idempotencyKey)
      }
    }),
  ) as Client<M>
}

/** An object that creates each member on first access, from its name. */
function named(make: (name: string) => unknown): object {
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

interface Asking {
  readonly path: string
  readonly data?: unknown
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal | undefined
}
interface Answered {
  readonly status: number
  readonly value: unknown
  readonly headers: Headers
}
type Caller = (asking: Asking) => Promise<Answered>

function callerOf(url: string, { token, fetch: send = fetch }: ClientOptions): Caller {
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
    const value = parsed(text, status, ids)
    // A query without a result is answered 404 with this code; it is not an error of the caller.
    if (isNothing(value)) return { status, value: null, headers }
    if (!response.ok) throw thrown(value, status, ids)
    return { status, value, headers }
  }
}

function isNothing(value: unknown): boolean {
  return (value as { readonly code?: unknown } | null)?.code === 'NOTHING_FOUND'
}

function parsed(text: string, status: number, ids: Readonly<Record<string, string>>): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const detail = `the answer with status ${status} is not JSON`
    throw new Problem('UNREADABLE', { detail, status, ids, cause })
  }
}

/** The error to throw for a problem body. */
function thrown(
  value: unknown,
  status: number,
  own: Readonly<Record<string, string>>,
): Fault | Problem {
  const told = (value ?? {}) as Partial<ProblemAbout & { readonly code: string }>
  const { code = 'UNREADABLE', detail = `the status is ${status}`, complaints = [] } = told
  const about = { detail, complaints, ids: { ...told.ids, ...own }, status }
  return Object.hasOwn(FAULTS, code)
    ? new Fault(code as FaultCode, about)
    : new Problem(code, about)
}

/** The longest wait that a gateway allows, in seconds. */
const WAIT_SECONDS = 60
/** Delay between two requests, in case the server answers before the wait is over. */
const LOOK_MS = 100

function operationOf(
  caller: Caller,
  { value, headers }: Answered,
  idempotencyKey: string,
): RemoteOperation {
  const { id } = value as { readonly id: string }
  const path = `/operations/${encodeURIComponent(id)}`
  const ask = async (query: string, { signal }: CallOptions): Promise<Looked> => {
    const answer = await caller({ path: `${path}${query}`, signal })
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
      await pause(systemClock(), LOOK_MS, options.signal)
    }
  }
  const isAccepted = ({ state }: Looked): boolean => state.is !== 'pending' || state.isAccepted
  return {
    id,
    idempotencyKey,
    isRepeat: headers.get('idempotency-replayed') === 'true',
    look: async (options = {}) => (await ask('', options)).state,
    accepted: async (options) => acceptedIn(await wait('accepted', isAccepted, options)),
    settled: async (options) =>
      (await wait('settled', ({ state }) => state.is !== 'pending', options)) as Settled,
    projected: async (options) =>
      acceptedIn(await wait('projected', ({ isProjected }) => isProjected, options)),
  }
}

interface Looked {
  readonly state: OperationState
  readonly isProjected: boolean
}

function acceptedIn(state: OperationState): Accepted {
  return state.is === 'refused' ? (state as Accepted) : { is: 'accepted' }
}
