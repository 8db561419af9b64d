import type { MessageType } from '../contract/message.ts'
import type { Runnable, Service } from './service.ts'

/** A value that the package has made, with the path that names it in an issue. */
type Part = readonly [path: string, value: unknown]

/** A rule and all values in it that the package has made. The input is not validated yet. */
export function* partsOfRule(path: string, rule: Partial<Runnable> | undefined): Generator<Part> {
  yield [path, rule]
  const { of, rules, decide, evolve, sends, emits, hears } = (rule ?? {}) as Loose
  yield [path, of]
  for (const each of [rules, decide, evolve].flat()) yield [path, each?.on]
  for (const type of [sends, emits, hears].flat()) yield [path, type]
}

/** Members that a rule of any kind may have. */
interface Loose {
  readonly of?: unknown
  readonly rules?: readonly { readonly on: unknown }[]
  readonly decide?: Loose['rules']
  readonly evolve?: Loose['rules']
  readonly sends?: readonly unknown[]
  readonly emits?: readonly unknown[]
  readonly hears?: readonly unknown[]
}

/** Every message type that a rule names. */
export function messageTypesOf(rule: Runnable): readonly MessageType[] {
  if (rule.is === 'query') return rule.rules.map(({ on }) => on)
  if (rule.is === 'projection') return rule.rules.map(({ on }) => on)
  if (rule.is === 'entity')
    return [...[...rule.decide, ...rule.evolve].map(({ on }) => on), ...rule.hears]
  return [...rule.rules.map(({ on }) => on), ...rule.sends, ...rule.emits]
}

/** Services, their contracts and their rules. */
export function* partsOfServices(services: readonly Partial<Service>[]): Generator<Part> {
  for (const service of services) {
    const { name, owns = [], runs = [] } = service ?? {}
    yield [`${name}`, service]
    for (const contract of owns) yield [`owns of ${name}`, contract]
    for (const rule of runs) yield* partsOfRule(`${name}/${rule?.name}`, rule)
  }
}
