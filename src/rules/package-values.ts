import type { MessageType } from '../contract/message.ts'
import type { Runnable, Service } from './service.ts'

/** A value that the package has made, with the path that names it in an issue. */
type PackageValue = readonly [path: string, value: unknown]

/** A rule and all values in it that the package has made. The input is not validated yet. */
export function* packageValuesOfRule(
  path: string,
  rule: Partial<Runnable> | undefined,
): Generator<PackageValue> {
  yield [path, rule]
  const { of, rules, decide, evolve, sends, emits, receives } = (rule ?? {}) as UncheckedRule
  yield [path, of]
  for (const each of [rules, decide, evolve].flat()) yield [path, each?.on]
  for (const type of [sends, emits, receives].flat()) yield [path, type]
}

/** Members that a rule of any kind may have. */
interface UncheckedRule {
  readonly of?: unknown
  readonly rules?: readonly { readonly on: unknown }[]
  readonly decide?: UncheckedRule['rules']
  readonly evolve?: UncheckedRule['rules']
  readonly sends?: readonly unknown[]
  readonly emits?: readonly unknown[]
  readonly receives?: readonly unknown[]
}

/** Every message type that a rule names. */
export function messageTypesOf(rule: Runnable): readonly MessageType[] {
  if (rule.kind === 'query') return rule.rules.map(({ on }) => on)
  if (rule.kind === 'projection') return rule.rules.map(({ on }) => on)
  if (rule.kind === 'entity')
    return [...[...rule.decide, ...rule.evolve].map(({ on }) => on), ...rule.receives]
  return [...rule.rules.map(({ on }) => on), ...rule.sends, ...rule.emits]
}

/** Services, their contracts and their rules. */
export function* packageValuesOfServices(
  services: readonly Partial<Service>[],
): Generator<PackageValue> {
  for (const service of services) {
    const { name, owns = [], runs = [], edges = [] } = service ?? {}
    yield [`${name}`, service]
    for (const contract of owns) yield [`owns of ${name}`, contract]
    for (const edge of edges) yield [`${name}/${edge?.name}`, edge]
    for (const rule of runs) yield* packageValuesOfRule(`${name}/${rule?.name}`, rule)
  }
}
