import { branded } from '../base/copy.ts'
import type { DataOf, EventType, RefusalType } from '../contract/message.ts'
import type { ConsumerOptions, NamedBy, Occasion, Rule, Several, TypeHint } from './rule.ts'
import { on } from './rule.ts'

/** What can be heard by anyone: events, and refusals of commands. */
export type Heard = EventType | RefusalType

/** The `on` of a projection: an event or a refusal, and the next row. */
export interface ProjectOn<R, B extends string> {
  /** The row that the event's `by` field names, folded; `undefined` is a tombstone. */
  <T extends Heard>(
    event: T & NamedBy<T, B>,
    project: (event: DataOf<T>, row: R | undefined, occasion: Occasion) => R | undefined,
  ): Rule
  /** One event that is about several rows; the rule runs once for each. */
  <T extends Heard>(
    event: T,
    several: Several<DataOf<T>>,
    project: (event: DataOf<T>, row: R | undefined, id: string) => R | undefined,
  ): Rule
}

/** Fields of a row that hold text or a number: what an index can be over. */
type Indexable<R> = {
  [K in keyof R & string]-?: R[K] extends string | number | null | undefined ? K : never
}[keyof R & string]

/** A read model: rows folded from events, found by id and by indexed fields. */
export interface Projection<
  N extends string = string,
  R = unknown,
  I extends string = string,
> extends ConsumerOptions {
  readonly is: 'projection'
  readonly name: N
  readonly by: string
  readonly indexes: readonly I[]
  readonly version: number
  readonly rules: readonly Rule[]
  readonly row?: R
}

/** Who a projection is to the store, and where it begins. */
export interface ProjectionStart extends ConsumerOptions {
  /** Its rows follow from every event, so it begins at the beginning. */
  readonly startFrom?: 'beginning'
}

/**
 * Declares a projection. `by` names the field that holds the row's id; rows are plain JSON data.
 * Rules are pure folds; the engine commits rows and progress in one unit, so each event counts
 * once. Rows can be found by each indexed field. Other `by`, `indexes` or messages need a higher
 * version: `start` refuses them otherwise (`PROJECTION_CHANGED`). Of rules whose source text is
 * another one it only warns: a formatter or a compiler may have changed it.
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
     * Raise it with every change of the rules, `by` or `indexes`, and of what they call: the rows
     * are then rebuilt beside the live ones. Default 1.
     */
    readonly version?: number
  } & ProjectionStart,
  rules: (on: ProjectOn<R, B>) => readonly Rule[],
): Projection<N, R, I> {
  const { row: _, indexes = [], version = 1, ...rest } = options
  return branded({
    ...rest,
    is: 'projection',
    name,
    indexes,
    version,
    rules: rules(on as ProjectOn<R, B>),
  })
}
