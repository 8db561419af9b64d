import { brand } from '../base/package-copy.ts'
import type { AnyContract } from '../contract/contract.ts'
import type { Entity } from './entity.ts'
import type { Handler, ToolHints, ToolsOf } from './handler.ts'
import type { Projection } from './projection.ts'
import type { QueryHandler } from './query-handler.ts'
import type { Renamable } from './rule.ts'
import type { Saga } from './saga.ts'

/** Any kind of rule that a service can run. */
export type Runnable = Entity | Projection | Saga | Handler | QueryHandler

type HintsOf<R> = R extends Handler<string, infer H> ? H : never
type UnionToIntersection<U> = (U extends unknown ? (each: U) => void : never) extends (
  all: infer I,
) => void
  ? I
  : never

/** A service: the contracts that it owns and the rules that it runs. No other service reads its tables. */
export interface Service<N extends string = string, T = unknown> extends Renamable {
  readonly kind: 'service'
  readonly name: N
  readonly owns: readonly AnyContract[]
  readonly runs: readonly Runnable[]
  /** The tools that its handlers need. */
  readonly tools?: T
}

/** The tools that a list of services needs in total. */
export type ToolsFor<S> = S extends readonly (infer E)[]
  ? UnionToIntersection<E extends Service<string, infer T> ? T : never>
  : never

/**
 * Declares a service. Only this service handles the commands and publishes the events of the contracts
 * that it owns.
 */
export function service<const N extends string, const R extends Runnable>(
  name: N,
  options: { readonly owns?: readonly AnyContract[]; readonly runs: readonly R[] } & Renamable,
): Service<N, ToolsOf<UnionToIntersection<HintsOf<R>>>> {
  return brand({ ...options, kind: 'service', name, owns: options.owns ?? [] })
}

export type { ToolHints }
