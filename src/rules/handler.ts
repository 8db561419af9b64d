import { branded } from '../base/copy.ts'
import type { CommandType, DataOf, EventType, MessageOf } from '../contract/message.ts'
import type { OneOrMany, RetryAfter, Send } from './effect.ts'
import type { Heard } from './projection.ts'
import type { ConsumerOptions, Occasion, Rule, TypeHint } from './rule.ts'
import { on } from './rule.ts'

/** Tools by name, as hints of their types. */
export type ToolHints = Readonly<Record<string, TypeHint<unknown>>>
export type ToolsOf<H> = {
  readonly [K in keyof H]: H[K] extends TypeHint<infer T> ? T : never
}

/** What a handler is told beside the event and its tools. */
export interface Handling extends Occasion {
  /** The same for every attempt at this event by this handler: hand it to what is outside. */
  readonly effectKey: string
  /** Aborts when the app stops or the work was given to another. */
  readonly signal: AbortSignal
}

type Handled<T, E> = OneOrMany<Send<MessageOf<T>> | MessageOf<E>> | RetryAfter | undefined | void

/** The `on` of a handler: an event or a refusal, and what is done about it. */
export interface HandleOn<H, T extends CommandType, E extends EventType> {
  <M extends Heard>(
    event: M,
    handle: (
      event: DataOf<M>,
      tools: ToolsOf<H>,
      handling: Handling,
    ) => Promise<Handled<T, E>> | Handled<T, E>,
  ): Rule
}

/**
 * In which order a handler is called. `key`: the events of a key one after another, as they were
 * stored. `none`: each event by itself, as work from a queue.
 */
export type HandlingOrder = 'key' | 'none'

/** A rule with side effects: the only one that may touch the outside. */
export interface Handler<
  N extends string = string,
  H extends ToolHints = ToolHints,
> extends ConsumerOptions {
  readonly is: 'handler'
  readonly name: N
  readonly uses: H
  readonly sends: readonly CommandType[]
  readonly emits: readonly EventType[]
  readonly concurrency: number
  readonly order: HandlingOrder
  readonly delayMs: number
  /** The module that exports it, where it runs in a thread: a URL. */
  readonly thread?: string
  readonly rules: readonly Rule[]
}

/** A handler that is called where the app runs. */
export interface Outside<H> {
  /** The tools it needs: `{ bank: type<Bank>() }`. `start` demands each one. */
  readonly uses?: H
  readonly thread?: never
}

/** A handler that computes for long, and so runs in a thread. */
export interface Apart {
  /**
   * The module that exports the handler: `import.meta.url`. A thread imports it, so that module starts
   * nothing, and makes for itself what the handler needs: no tool can cross over.
   */
  readonly thread: string | URL
  readonly uses?: never
}

/** How many keys, or events where there is no order, one handler works on at the same time. */
export const HANDLER_CONCURRENCY = { initial: 16, min: 1, max: 1_024 } as const

/** How long after it was stored an event is handled at the earliest. Up to ten years. */
export const HANDLER_DELAY_MS = { initial: 0, min: 0, max: 315_576_000_000 } as const

/**
 * Declares a handler. It runs before its unit commits, outside any transaction, so an attempt may
 * be repeated: `effectKey` stays the same, and whoever is outside can tell. Events of one key are
 * handled one after another, of different keys at the same time, up to `concurrency`; with
 * `order: 'none'` each event by itself. What it returns is sent with its acknowledgement.
 */
export function handler<
  const N extends string,
  // oxlint-disable-next-line typescript/no-generated-empty-object-type -- no tools at all
  H extends ToolHints = Record<never, never>,
  T extends CommandType = never,
  E extends EventType = never,
>(
  name: N,
  options: {
    readonly sends?: readonly T[]
    readonly emits?: readonly E[]
    /** Default 16, 1 to 1,024. */
    readonly concurrency?: number
    /** Default `key`. */
    readonly order?: HandlingOrder
    /** How long after it was stored each event is handled at the earliest. Default 0. */
    readonly delayMs?: number
  } & ConsumerOptions &
    (Outside<H> | Apart),
  rules: (on: HandleOn<H, T, E>) => readonly Rule[],
): Handler<N, H> {
  const { uses = {} as H, sends = [], emits = [], thread, ...rest } = options
  const { concurrency = HANDLER_CONCURRENCY.initial, order = 'key' } = options
  const { delayMs = HANDLER_DELAY_MS.initial } = options
  return branded({
    ...rest,
    is: 'handler',
    name,
    uses,
    sends,
    emits,
    concurrency,
    order,
    delayMs,
    ...(thread === undefined ? {} : { thread: String(thread) }),
    rules: rules(on as HandleOn<H, T, E>),
  })
}
