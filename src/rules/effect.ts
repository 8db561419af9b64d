import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import type { Message } from '../contract/message.ts'

/** A domain "no" to a command: an answer, not a fault. It is stored and sent to the sender. */
export interface Refusal<R extends string = string> {
  readonly effect: 'refuse'
  readonly code: R
  readonly issues: readonly Issue[]
}

/**
 * Refuses a command with one of the codes that its contract declares. The path of an issue names a
 * member of the command, such as `lines[3].quantity`; a text alone becomes an issue with an empty path.
 */
export function refuse<const R extends string>(
  code: R,
  issues: readonly (Issue | string)[] = [],
): Refusal<R> {
  return Object.freeze({ effect: 'refuse', code, issues: toIssues(issues) })
}

/** Issues as `{ path, message }`. Earlier versions stored texts alone: they get an empty path. */
export function toIssues(given: readonly (Issue | string)[]): readonly Issue[] {
  // The engine rejects a value that is not a list, with a message of its own.
  if (!Array.isArray(given)) return given as never
  return (given as readonly (Issue | string)[]).map((each) =>
    typeof each === 'string' ? { path: '', message: each } : each,
  )
}

/** The next state of a saga instance. */
export interface Become<S = unknown> {
  readonly effect: 'become'
  readonly state: S
}

/** Sets the state of the saga instance. */
export function become<const S>(state: S): Become<S> {
  return Object.freeze({ effect: 'become', state })
}

/** A command to the service that owns its contract. */
export interface Send<M = Message> {
  readonly effect: 'send'
  readonly message: M
}

/** Sends a command when the unit of work commits. */
export function send<M extends Message>(message: M): Send<M> {
  return Object.freeze({ effect: 'send', message })
}

/** A message that is sent after a delay, unless the instance has finished by then. */
export interface After<M = Message> {
  readonly effect: 'after'
  readonly delayMs: number
  readonly message: M
}

/**
 * Sends `message` after `delayMs`, never earlier. The timer is stored and survives restarts. A
 * conversation may take 256 hops; a delay of one second or more resets their count.
 */
export function after<M extends Message>(delayMs: number, message: M): After<M> {
  return Object.freeze({ effect: 'after', delayMs, message })
}

/** A command that undoes an earlier command of this instance. */
export interface Compensate<M = Message> {
  readonly effect: 'compensate'
  readonly message: M
  readonly undoes: MessageTypeName
}

/** A message type by contract and name: enough to find what was sent, and comparable by value. */
export interface MessageTypeName {
  readonly contract: string
  readonly name: string
}

/** Sends a command that undoes the latest command of type `undoes` that the instance has sent. */
export function compensate<M extends Message>(
  message: M,
  options: { readonly undoes: MessageTypeName },
): Compensate<M> {
  const { contract, name } = options.undoes
  return Object.freeze({ effect: 'compensate', message, undoes: { contract, name } })
}

type Letter =
  | ('a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm' | 'n' | 'o' | 'p')
  | ('q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z' | '-')
  | ('0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9')
type FirstLetter<W> = W extends `${infer C}${string}` ? C : never
type RestAfter<W, C extends string> = W extends `${C}${infer R}` ? R : never
type AnyTextExcept<W extends string, Before extends string = ''> =
  | ('' extends W ? never : Before)
  | `${Before}${Exclude<Letter, FirstLetter<W>>}${string}`
  | { [C in FirstLetter<W>]: AnyTextExcept<RestAfter<W, C>, `${Before}${C}`> }[FirstLetter<W>]

/**
 * Any name in lower case except `pending` and `refused`, which an operation uses itself. TypeScript has
 * no type for "every string except", so the type enumerates the strings letter by letter; with it,
 * `settled.status === 'refused'` narrows to the member that has the code.
 */
export type OutcomeName = AnyTextExcept<'pending' | 'refused'>

/** The outcome with which a saga instance finished. Default: `completed`. */
export interface Outcome {
  readonly status: string
  readonly reason?: string
}

export const COMPLETED: Outcome = Object.freeze({ status: 'completed' })

/** Ends a saga instance: its timers are cancelled, and later messages do not start it again. */
export interface Finish {
  readonly effect: 'finish'
  readonly outcome: Outcome
}

/** Statuses that operations use themselves, so that no saga may finish with them. */
const RESERVED_STATUSES = ['accepted', 'failed', 'pending', 'refused'] as const
type ReservedStatus = (typeof RESERVED_STATUSES)[number]

/** An outcome whose status the compiler knows and that is not reserved. */
type FinishOutcome<N extends string> = Outcome & {
  readonly status: string extends N ? N : N extends ReservedStatus ? never : N & OutcomeName
}

/**
 * Ends the instance. The status of an outcome is lower-case words joined by hyphens.
 *
 * @throws Fault `RULE_RETURNED` for a reserved status
 */
export function finish<const N extends string>(
  outcome: Outcome & { readonly status: N } & FinishOutcome<N> = COMPLETED as never,
): Finish {
  const { status } = outcome as { readonly status: unknown }
  if (typeof status !== 'string' || RESERVED_STATUSES.some((each) => each === status))
    throw new Fault('RULE_RETURNED', {
      detail:
        `a saga cannot finish with the status ${String(status)}: operations use ` +
        `${RESERVED_STATUSES.join(', ')} themselves, so choose another name`,
    })
  return Object.freeze({ effect: 'finish', outcome })
}

export type Effect = Become | Send | After | Compensate | Finish

/** The handler asks to be called with the same event again later. */
export interface RetryAfter {
  readonly effect: 'retry-after'
  readonly delayMs: number
}

/**
 * Returned or thrown by a handler to be called again after `delayMs`. It is not an error: no hook is
 * called and no attempt is counted. With `consume: 'stream'` the later events of the key wait.
 */
export function retryAfter(delayMs: number): RetryAfter {
  return Object.freeze({ effect: 'retry-after', delayMs })
}

/** One value or an array of them. */
export type OneOrMany<T> = T | readonly T[]

export function toList<T>(given: OneOrMany<T> | undefined): readonly T[] {
  if (given === undefined) return []
  return Array.isArray(given) ? (given as readonly T[]) : [given as T]
}
