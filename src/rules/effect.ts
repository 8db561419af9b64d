import { Fault } from '../base/fault.ts'
import type { Message } from '../contract/message.ts'

/** A domain "no": an answer, not a fault. Stored, and heard by who asked. */
export interface Refusal<R extends string = string> {
  readonly effect: 'refuse'
  readonly code: R
  readonly complaints: readonly string[]
}

/** Refuses a command with a code that its contract lists. */
export function refuse<const R extends string>(
  code: R,
  complaints: readonly string[] = [],
): Refusal<R> {
  return Object.freeze({ effect: 'refuse', code, complaints })
}

/** The next state of a saga's instance. */
export interface Become<S = unknown> {
  readonly effect: 'become'
  readonly state: S
}

export function become<const S>(state: S): Become<S> {
  return Object.freeze({ effect: 'become', state })
}

/** A command to another service, or to one's own. */
export interface Send<M = Message> {
  readonly effect: 'send'
  readonly message: M
}

export function send<M extends Message>(message: M): Send<M> {
  return Object.freeze({ effect: 'send', message })
}

/** A message that is sent later, unless the instance has finished by then. */
export interface After<M = Message> {
  readonly effect: 'after'
  readonly delayMs: number
  readonly message: M
}

/**
 * Sends `message` once `delayMs` have passed; survives restarts; never early. A conversation may
 * take 256 steps; a delay of a second or more begins their count anew.
 */
export function after<M extends Message>(delayMs: number, message: M): After<M> {
  return Object.freeze({ effect: 'after', delayMs, message })
}

/** A command that undoes one which this instance has sent. */
export interface Compensate<M = Message> {
  readonly effect: 'compensate'
  readonly message: M
  readonly undoes: NameOfType
}

/** A message type, by name: enough to find what was sent, and comparable by value. */
export interface NameOfType {
  readonly contract: string
  readonly name: string
}

/** Undoes the latest command of type `undoes` that the instance has sent. */
export function compensate<M extends Message>(
  message: M,
  options: { readonly undoes: NameOfType },
): Compensate<M> {
  const { contract, name } = options.undoes
  return Object.freeze({ effect: 'compensate', message, undoes: { contract, name } })
}

type Letter =
  | ('a' | 'b' | 'c' | 'd' | 'e' | 'f' | 'g' | 'h' | 'i' | 'j' | 'k' | 'l' | 'm' | 'n' | 'o' | 'p')
  | ('q' | 'r' | 's' | 't' | 'u' | 'v' | 'w' | 'x' | 'y' | 'z' | '-')
  | ('0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9')
type First<W> = W extends `${infer C}${string}` ? C : never
type Rest<W, C extends string> = W extends `${C}${infer R}` ? R : never
type Except<W extends string, Before extends string = ''> =
  | ('' extends W ? never : Before)
  | `${Before}${Exclude<Letter, First<W>>}${string}`
  | { [C in First<W>]: Except<Rest<W, C>, `${Before}${C}`> }[First<W>]

/**
 * Any name in lower case but those that an operation has beside the outcomes of sagas. TypeScript has
 * no type for "every text but one", so the texts are told apart letter by letter: that is how
 * `settled.is === 'refused'` comes to know the code.
 */
export type OutcomeName = Except<'pending' | 'refused'>

/** How a saga ended, when there is more to say than that it completed. */
export interface Outcome {
  readonly is: string
  readonly reason?: string
}

export const COMPLETED: Outcome = Object.freeze({ is: 'completed' })

/** The end of a saga's instance: its timers are cancelled, later messages do not revive it. */
export interface Finish {
  readonly effect: 'finish'
  readonly outcome: Outcome
}

/** What an operation says itself, and a saga cannot: it would be taken for something else. */
const RESERVED_OUTCOMES = ['accepted', 'failed', 'pending', 'refused'] as const
type Reserved = (typeof RESERVED_OUTCOMES)[number]

/** An outcome whose name is known to the compiler, and is none of those that are reserved. */
type Finishing<N extends string> = Outcome & {
  readonly is: string extends N ? N : N extends Reserved ? never : N & OutcomeName
}

/**
 * Ends the instance. The name of an outcome is of lower-case words joined by hyphens.
 *
 * @throws Fault `RULE_RETURNED` for an outcome that is reserved
 */
export function finish<const N extends string>(
  outcome: Outcome & { readonly is: N } & Finishing<N> = COMPLETED as never,
): Finish {
  const { is } = outcome as { readonly is: unknown }
  if (typeof is !== 'string' || RESERVED_OUTCOMES.some((each) => each === is))
    throw new Fault('RULE_RETURNED', {
      detail:
        `a saga cannot finish with the outcome ${String(is)}: ${RESERVED_OUTCOMES.join(', ')} are ` +
        'said of operations themselves, so name it otherwise',
    })
  return Object.freeze({ effect: 'finish', outcome })
}

export type Effect = Become | Send | After | Compensate | Finish

/** Not now: the handler asks to be called with the same event later. */
export interface RetryAfter {
  readonly effect: 'retry-after'
  readonly delayMs: number
}

/**
 * What a handler returns, or throws, to be called again `delayMs` from now or later. It is no fault:
 * nobody is told, and no attempt is counted. With `order: 'key'` the later events of the key wait.
 */
export function retryAfter(delayMs: number): RetryAfter {
  return Object.freeze({ effect: 'retry-after', delayMs })
}

/** One value or a list of them: what rules may return. */
export type OneOrMany<T> = T | readonly T[]

export function listOf<T>(given: OneOrMany<T> | undefined): readonly T[] {
  if (given === undefined) return []
  return Array.isArray(given) ? (given as readonly T[]) : [given as T]
}
