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
type HintsOfEdge<E> = E extends ServiceEdge<infer H> ? H : never
type UnionToIntersection<U> = (U extends unknown ? (each: U) => void : never) extends (
  all: infer I,
) => void
  ? I
  : never

/** What an edge adds to its service: the contract that records its bodies, and its handlers. */
export interface ServiceEdge<H extends ToolHints = ToolHints> {
  readonly kind: 'edge'
  readonly name: string
  readonly owns: readonly AnyContract[]
  readonly runs: readonly Handler[]
  /** The tools that it needs: its transport. */
  readonly uses: H
}

/** A service: the contracts that it owns and the rules that it runs. No other service reads its tables. */
export interface Service<N extends string = string, T = unknown> extends Renamable {
  readonly kind: 'service'
  readonly name: N
  readonly owns: readonly AnyContract[]
  readonly runs: readonly Runnable[]
  /** Its connections with external systems; their contracts and handlers are in `owns` and `runs`, too. */
  readonly edges?: readonly ServiceEdge[]
  /** The tools that its handlers and edges need. */
  readonly tools?: T
}

/** The tools that a list of services needs in total. */
export type ToolsFor<S> = S extends readonly (infer E)[]
  ? UnionToIntersection<E extends Service<string, infer T> ? T : never>
  : never

/**
 * Declares a service. Only this service handles the commands and publishes the events of the contracts
 * that it owns. `edges` connect it with external systems.
 */
export function service<
  const N extends string,
  const R extends Runnable,
  const E extends ServiceEdge = never,
>(
  name: N,
  options: {
    readonly owns?: readonly AnyContract[]
    readonly runs: readonly R[]
    readonly edges?: readonly E[]
  } & Renamable,
): Service<N, ToolsOf<UnionToIntersection<HintsOf<R> | HintsOfEdge<E>>>> {
  const { owns = [], runs, edges = [] } = options
  return brand({
    ...options,
    kind: 'service',
    name,
    owns: [...owns, ...listsOf(edges, 'owns')],
    runs: edges.length === 0 ? runs : [...runs, ...listsOf(edges, 'runs')],
  })
}

/** In JavaScript any value may be given; `start` reports what is no edge. */
function listsOf<K extends 'owns' | 'runs'>(
  edges: readonly ServiceEdge[],
  name: K,
): ServiceEdge[K][number][] {
  return edges.flatMap((edge) => (edge?.[name] ?? []) as ServiceEdge[K][number][])
}

export type { ToolHints }
