import type { MessageType } from '../contract/message.ts'

/** Says a type where no value can: the row of a projection, a tool of a handler. */
export interface TypeHint<T> {
  readonly hint?: T
}

export function type<T>(): TypeHint<T> {
  return {}
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
