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

/** A problem whose code is no code of a fault: of HTTP itself, or of a newer server. */
export class Problem extends Error {
  override readonly name = 'Problem'
  /** `UNREACHABLE` where there was no answer, `UNREADABLE` where it was none of a gateway. */
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

/** What a `Problem` is made of. */
export interface ProblemAbout {
  readonly detail: string
  readonly status?: number
  readonly complaints?: readonly Complaint[]
  readonly ids?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** A command that a gateway has taken. */
export interface RemoteOperation<R extends string = string> {
  readonly id: string
  /** Hand it in again to repeat the call: it takes effect once. */
  readonly idempotencyKey: string
  /** It was sent before. */
  readonly isRepeat: boolean
  /** Where it stands, without waiting. */
  look(options?: CallOptions): Promise<OperationState<R>>
  /** Resolves once the command's unit has committed, or it was refused. */
  accepted(options?: CallOptions): Promise<Accepted<R>>
  /** Resolves once every saga that its events started has finished, too. */
  settled(options?: CallOptions): Promise<Settled<R>>
  /**
   * Reading your own writes: resolves once a query through the gateway sees what the command's unit
   * published: see `Operation`. Waits for the projections of the app that owns the contract.
   */
  projected(options?: CallOptions): Promise<Accepted<R>>
}

export interface CallOptions {
  readonly signal?: AbortSignal
}

export interface CommandOptions extends CallOptions {
  /** 1 to 128 visible characters of ASCII. Default: a new one. */
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

/** The contracts among a module's values, by their names, as calls. */
export type Client<M> = {
  readonly [K in keyof M as M[K] extends AnyContract ? NameOf<M[K]> : never]: Calls<M[K]>
}

export interface ClientOptions {
  readonly token?: string
  /** Default: the platform's. */
  readonly fetch?: (request: Request) => Promise<Response>
}

/**
 * Calls a gateway's `/messages/…` as functions, typed by its contracts alone, so that none of
 * their code is loaded: `client<typeof contracts>(url).ordering.placeOrder({ … })`.
 *
 * It repeats nothing by itself. Each call of a command has one idempotency key, given or new, which
 * its answer tells, and so do the `ids` of what it throws: call again with it, and the command
 * takes effect once. Throws `Fault` where the gateway names one, and `Problem` otherwise.
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

/** An object whose every member is made by its name, once. */
function named(make: (name: string) => unknown): object {
  const made = new Map<string, unknown>()
  return new Proxy(Object.freeze(Object.create(null) as object), {
    get(_, name) {
      // Nobody may take it for a promise.
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
    // What a query answers where there is nothing, and no fault of whoever asks.
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
    const detail = `the answer of status ${status} is not JSON`
    throw new Problem('UNREADABLE', { detail, status, ids, cause })
  }
}

/** A problem as what is thrown for it. */
function thrown(
  value: unknown,
  status: number,
  own: Readonly<Record<string, string>>,
): Fault | Problem {
  const told = (value ?? {}) as Partial<ProblemAbout & { readonly code: string }>
  const { code = 'UNREADABLE', detail = `it has status ${status}`, complaints = [] } = told
  const about = { detail, complaints, ids: { ...told.ids, ...own }, status }
  return Object.hasOwn(FAULTS, code)
    ? new Fault(code as FaultCode, about)
    : new Problem(code, about)
}

/** The longest that a gateway lets a client wait, in seconds. */
const WAIT_SECONDS = 60
/** Between two looks, for a server that answers sooner than it was asked to. */
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
  /** Asks again and again until it has come so far. */
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
