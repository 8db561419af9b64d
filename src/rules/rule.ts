import type { MessageType } from '../contract/message.ts'

/** Says a type where no value can: the row of a projection, a tool of a handler. */
export interface TypeHint<T> {
  readonly hint?: T
}

export function type<T>(): TypeHint<T> {
  return {}
}

/**
 * Where a consumer begins in a topic: with the first record that is retained, after the last one, or
 * with the first that was stored at or after a time, in milliseconds since 1970.
 */
export type StartFrom = 'beginning' | 'now' | { readonly atMs: number }

/** The name that a rule or a service had before. */
export interface Renamed {
  /**
   * The former name: what is stored under it goes on under the new one. Once that code has run, it
   * may be left out again.
   */
  readonly renamedFrom?: string
}

/** Who a consumer is to the store, and where one begins that the store does not know. */
export interface ConsumerOptions extends Renamed {
  /**
   * Where it begins in each topic that is new to it and has a history. Applied once, when it is
   * first started; later it goes on where it was. `start` refuses a consumer that has to say it.
   */
  readonly startFrom?: StartFrom
}

/** What a rule is told beside the message and what it knows. */
export interface Occasion {
  /** The message's id. */
  readonly messageId: string
  /** When the message was made, in milliseconds since 1970. */
  readonly at: number
  /** The message's key. */
  readonly key: string
}

/** Which entities, rows or instances a message is about; each once, in any order. */
export type IdsOf = (data: never) => readonly string[]

/** One rule: on this message, do that. The one shape of them all. */
export interface Rule {
  readonly on: MessageType
  /** `refused` and `failed` answer commands that a saga has sent. */
  readonly hears: 'message' | 'refused' | 'failed'
  /** Set where a rule is about several at once. */
  readonly ids?: IdsOf
  readonly run: (data: never, known: never, occasion: Occasion) => unknown
}

/**
 * Calls a rule. Its types were checked where it was declared; here they are unknown.
 * `third` is the id where the rule is about several at once, and the context of the message otherwise.
 */
export function callRule(rule: Rule, data: unknown, known: unknown, third: unknown): unknown {
  return rule.run(data as never, known as never, third as never)
}

/** What `on` is given besides the message and the rule. */
export interface Several<D> {
  readonly ids: (data: D) => readonly string[]
}

/** The loosely typed `on` behind every typed one. */
export function on(message: MessageType, first: unknown, second?: unknown): Rule {
  const hears = 'message'
  return typeof first === 'function'
    ? { on: message, hears, run: first as Rule['run'] }
    : { on: message, hears, run: second as Rule['run'], ids: (first as Several<never>).ids }
}
