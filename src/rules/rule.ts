import type { FailureOptions } from './failure-policy.ts'
import type { DataOf, MessageType, RefusalType } from '../contract/message.ts'

/** Carries a type without a value: of a tool of a handler, or of the rows of a projection. */
export interface TypeHint<T> {
  readonly hint?: T
}

export function tool<T>(): TypeHint<T> {
  return {}
}

/**
 * Where a consumer starts in a topic: at the first retained record, after the last record, or at the
 * first record that was stored at or after a time, in milliseconds since 1970.
 */
export type StartFrom = 'beginning' | 'now' | { readonly atMs: number }

/** Names the former name of a rule or service. */
export interface Renamable {
  /**
   * The former name. Stored state and progress are carried over to the new name at the next start;
   * after that the option may be removed.
   */
  readonly renamedFrom?: string
}

/**
 * Options for the identity of a consumer in the store, for the start of a new one, and for messages
 * whose rule throws.
 */
export interface ConsumerOptions extends Renamable, FailureOptions {
  /**
   * Where a new consumer starts in topics that already hold records. Applied once, at its first start;
   * later it continues at its offsets. `start` refuses a new consumer that needs the option and lacks it.
   */
  readonly startFrom?: StartFrom
}

/** The metadata of the message that a rule is called with. */
export interface MessageContext {
  /** The id of the message. */
  readonly messageId: string
  /** When the message was made, in milliseconds since 1970. */
  readonly at: number
  /** The key of the message. */
  readonly key: string
}

/**
 * The message type, if its data has the text field that holds the id of the entity, row or instance;
 * else a sentence, which the compiler shows. For a refusal, the field of its command counts.
 */
export type NamedBy<T, F extends string> = string extends F
  ? T
  : IdSource<T> extends { readonly [K in F]: string }
    ? T
    : `its data has no text field "${F}"`
type IdSource<T> = T extends RefusalType<string, string, infer D> ? D : DataOf<T>

/** The ids of the entities or rows that a message concerns, in any order. */
export type IdsOf = (data: never) => readonly string[]

/** A message type and the function that runs on it. All kinds of rules have this shape. */
export interface Rule {
  readonly on: MessageType
  /** What triggers the rule: a message, or the refusal or failure of a command that the saga sent. */
  readonly trigger: 'message' | 'refused' | 'failed'
  /** Set if the rule concerns several entities or rows at once. */
  readonly ids?: IdsOf
  readonly run: (data: never, known: never, context: MessageContext) => unknown
}

/**
 * Calls a rule. Its types were checked where it was declared; here they are unknown.
 * `third` is the id if the rule has `ids`, and otherwise the context of the message.
 */
export function callRule(rule: Rule, data: unknown, known: unknown, third: unknown): unknown {
  return rule.run(data as never, known as never, third as never)
}

/** The optional second argument of `on`: which ids the message concerns. */
export interface IdSelector<D> {
  readonly ids: (data: D) => readonly string[]
}

/** The untyped implementation behind every typed `on`. */
export function on(message: MessageType, first: unknown, second?: unknown): Rule {
  const hears = 'message'
  return typeof first === 'function'
    ? { on: message, trigger: hears, run: first as Rule['run'] }
    : {
        on: message,
        trigger: hears,
        run: second as Rule['run'],
        ids: (first as IdSelector<never>).ids,
      }
}
