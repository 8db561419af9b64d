import { brand } from '../base/package-copy.ts'
import type { DataOf, EventType, RefusalType } from '../contract/message.ts'
import type {
  ConsumerOptions,
  NamedBy,
  MessageContext,
  Rule,
  IdSelector,
  TypeHint,
} from './rule.ts'
import { on } from './rule.ts'

/** Message types that any service may subscribe to: events, and refusals of commands. */
export type SubscribableType = EventType | RefusalType

/** The `on` of a projection: takes an event or a refusal, and the function that returns the next row. */
export interface ProjectOn<R, B extends string> {
  /** Folds the event into the row that its `by` field names; `undefined` deletes the row. */
  <T extends SubscribableType>(
    event: T & NamedBy<T, B>,
    project: (event: DataOf<T>, row: R | undefined, context: MessageContext) => R | undefined,
  ): Rule
  /** For an event that concerns several rows; the rule runs once for each. */
  <T extends SubscribableType>(
    event: T,
    several: IdSelector<DataOf<T>>,
    project: (event: DataOf<T>, row: R | undefined, id: string) => R | undefined,
  ): Rule
}

/** Fields of a row that can be indexed: those that hold text or a number. */
type Indexable<R> = {
  [K in keyof R & string]-?: R[K] extends string | number | null | undefined ? K : never
}[keyof R & string]

/** A read model: rows folded from events, found by id and by indexed fields. */
export interface Projection<
  N extends string = string,
  R = unknown,
  I extends string = string,
> extends ConsumerOptions {
  readonly kind: 'projection'
  readonly name: N
  readonly by: string
  readonly indexes: readonly I[]
  readonly version: number
  readonly rules: readonly Rule[]
  readonly row?: R
}

/** Options of how a projection is known in the store, and where it starts. */
export interface ProjectionConsumerOptions extends ConsumerOptions {
  /** A projection reads every event, so it always starts at the beginning. */
  readonly startFrom?: 'beginning'
}

/**
 * Declares a projection. `by` names the field that holds the id of the row; rows are plain JSON data.
 * Rules are pure folds; the engine commits rows and progress in one unit of work, so each event is
 * applied once. Rows are found by id and by indexed fields. A change of `by`, `indexes` or messages
 * needs a higher version; without it, `start` throws `PROJECTION_CHANGED`. A change of only the
 * source text of its rules gives a warning, since a formatter or a compiler may have made it.
 */
export function projection<
  const N extends string,
  const B extends string,
  R,
  const I extends Indexable<R> = never,
>(
  name: N,
  options: {
    readonly by: B
    readonly row: TypeHint<R>
    readonly indexes?: readonly I[]
    /**
     * Raise it with every change of the rules, `by` or `indexes`, and of functions that the rules call:
     * the rows are then rebuilt beside the live ones. Default 1.
     */
    readonly version?: number
  } & ProjectionConsumerOptions,
  rules: (on: ProjectOn<R, B>) => readonly Rule[],
): Projection<N, R, I> {
  const { row: _, indexes = [], version = 1, ...rest } = options
  return brand({
    ...rest,
    kind: 'projection',
    name,
    indexes,
    version,
    rules: rules(on as ProjectOn<R, B>),
  })
}
