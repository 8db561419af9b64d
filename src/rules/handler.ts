import { brand } from '../base/package-copy.ts'
import type { CommandType, DataOf, EventType, MessageOf } from '../contract/message.ts'
import type { OneOrMany, RetryAfter, Send } from './effect.ts'
import type { SubscribableType } from './projection.ts'
import type { ConsumerOptions, MessageContext, Rule, TypeHint } from './rule.ts'
import { on } from './rule.ts'

/** The tools of a handler by name, as declared by `tool<T>()`. */
export type ToolHints = Readonly<Record<string, TypeHint<unknown>>>
export type ToolsOf<H> = {
  readonly [K in keyof H]: H[K] extends TypeHint<infer T> ? T : never
}

/** The message context of a handler call, with its effect key and abort signal. */
export interface HandlerContext extends MessageContext {
  /** Idempotency key: the same for every attempt at this event by this handler. Pass it to the outside system. */
  readonly effectKey: string
  /** Aborts when the app stops, the lease on the work is lost, or the attempt takes too long. */
  readonly signal: AbortSignal
}

type HandlerResult<T, E> =
  | OneOrMany<Send<MessageOf<T>> | MessageOf<E>>
  | RetryAfter
  | undefined
  | void

/** The `on` of a handler: takes an event or a refusal, and the function that handles it. */
export interface HandleOn<H, T extends CommandType, E extends EventType> {
  <M extends SubscribableType>(
    event: M,
    handle: (
      event: DataOf<M>,
      tools: ToolsOf<H>,
      context: HandlerContext,
    ) => Promise<HandlerResult<T, E>> | HandlerResult<T, E>,
  ): Rule
}

/**
 * How a handler consumes its topics. `stream`: the events of a key one after another, in stored order.
 * `queue`: each event independently of all others.
 */
export type ConsumeMode = 'stream' | 'queue'

/** A rule with side effects: the only kind of rule that may call outside systems. */
export interface Handler<
  N extends string = string,
  H extends ToolHints = ToolHints,
> extends ConsumerOptions {
  readonly kind: 'handler'
  readonly name: N
  readonly uses: H
  readonly sends: readonly CommandType[]
  readonly emits: readonly EventType[]
  readonly concurrency: number
  readonly consume: ConsumeMode
  readonly delayMs: number
  readonly timeoutMs: number
  /** The URL of the module that exports the handler, if it runs in a worker thread. */
  readonly thread?: string
  readonly rules: readonly Rule[]
}

/** Options of a handler that runs in the thread of the app. */
export interface InProcessOptions<H> {
  /** The tools that it needs: `{ bank: tool<Bank>() }`. `start` requires each of them. */
  readonly uses?: H
  readonly thread?: never
}

/** Options of a CPU-heavy handler, which runs in a worker thread. */
export interface ThreadOptions {
  /**
   * The module that exports the handler: `import.meta.url`. Each thread imports that module, so it must
   * not start an app, and it creates what the handler needs itself: tools cannot be passed to a thread.
   */
  readonly thread: string | URL
  readonly uses?: never
}

/** How many keys, or with `consume: 'queue'` events, a handler works on at the same time. */
export const HANDLER_CONCURRENCY = { default: 16, min: 1, max: 1_024 } as const

/** How long one attempt may take. Up to a day. */
export const HANDLER_TIMEOUT_MS = { default: 300_000, min: 1, max: 86_400_000 } as const

/** The least delay between storing and handling an event. Up to ten years. */
export const HANDLER_DELAY_MS = { default: 0, min: 0, max: 315_576_000_000 } as const

/**
 * Declares a handler. It runs before its unit of work commits and outside any transaction, so an
 * attempt may be repeated; `effectKey` stays the same, so that the outside system can deduplicate.
 * Events of one key are handled one after another, events of different keys concurrently, up to
 * `concurrency`; with `consume: 'queue'` each event is handled on its own. The messages that it
 * returns are committed together with its progress.
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
    /** Default `stream`. */
    readonly consume?: ConsumeMode
    /** The least delay between storing and handling an event. Default 0. */
    readonly delayMs?: number
    /**
     * How long one attempt may take. After that its signal aborts, and it counts as an error. Default
     * 300,000.
     */
    readonly timeoutMs?: number
  } & ConsumerOptions &
    (InProcessOptions<H> | ThreadOptions),
  rules: (on: HandleOn<H, T, E>) => readonly Rule[],
): Handler<N, H> {
  const { uses = {} as H, sends = [], emits = [], thread, ...rest } = options
  const { concurrency = HANDLER_CONCURRENCY.default, consume = 'stream' } = options
  const { delayMs = HANDLER_DELAY_MS.default, timeoutMs = HANDLER_TIMEOUT_MS.default } = options
  return brand({
    ...rest,
    kind: 'handler',
    name,
    uses,
    sends,
    emits,
    concurrency,
    consume,
    delayMs,
    timeoutMs,
    ...(thread === undefined ? {} : { thread: String(thread) }),
    rules: rules(on as HandleOn<H, T, E>),
  })
}
