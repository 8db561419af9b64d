import { digest } from '../../base/text/digest.ts'
import type { Entity } from '../../rules/entity.ts'
import type { Projection } from '../../rules/projection.ts'
import type { Rule } from '../../rules/rule.ts'
import { normalizeSource } from './source-text.ts'

/** The definition that rows are folded by: its version, and fingerprints of options and rules. */
export interface ProjectionDefinition {
  /** The version stated in the code: a higher one rebuilds the rows. */
  readonly version: number
  /** Fingerprint of `by`, `indexes` and the message types; rows of earlier releases have none. */
  readonly declared?: string
  /** Fingerprint of the source text of the rules, which may change while their behaviour does not. */
  readonly rules: string
}

/**
 * The format of fingerprints; part of each. Raise it when the same rules get a different fingerprint,
 * so that one stored by an earlier release does not count as a change of the rules.
 */
const FORMAT = 2

/** Whether a stored fingerprint has the current format, so that it can be compared. */
export function isComparable(fingerprint: string | undefined): boolean {
  return fingerprint?.startsWith(`${FORMAT}:`) ?? false
}

function fingerprint(parts: unknown): string {
  return `${FORMAT}:${digest(JSON.stringify(parts))}`
}

/** The source text of a function, without its comments and layout. */
export function sourceOf(run: (...args: never[]) => unknown): string {
  return normalizeSource(run.toString())
}

/** What a rule does and to which ids, as text. */
function textOf({ on, ids, run }: Rule): string {
  return JSON.stringify([on.contract, on.name, ids ? sourceOf(ids) : null, sourceOf(run)])
}

/** All of them, whatever their order: a message has one rule at most. */
function textsOf(rules: readonly Rule[]): readonly string[] {
  return rules.map(textOf).toSorted()
}

/** How stored events of earlier versions come to what the rules are handed. */
function upcastersOf({ on }: Rule): readonly string[] {
  return on.upcasters.map(([, up]) => sourceOf(up))
}

/**
 * Names everything that an entity's state follows from, as far as its source shows it. What a rule
 * calls is not seen: that is what `version` is for.
 */
export function rulesOfEntity({ version, id, initial, evolve }: Entity): string {
  const ups = evolve.map((rule) => [rule.on.name, ...upcastersOf(rule)].join('\n')).toSorted()
  return fingerprint([version, id, initial, textsOf(evolve), ups])
}

/**
 * The fingerprints of a projection. The declared options have their own, since only the source text
 * may change without a change of behaviour. The upcasters of its events do not count: their owner may
 * change them while the rows stay correct.
 */
export function projectionDefinition({
  version,
  by,
  indexes,
  rules,
}: Projection): ProjectionDefinition {
  const hears = rules.map(({ on }) => `${on.contract}.${on.name}`).toSorted()
  const declared = fingerprint([by, indexes.toSorted(), hears])
  return { version, declared, rules: fingerprint(textsOf(rules)) }
}

/** The rules of a consumer, as far as its code shows them. */
export interface ConsumerCode {
  readonly version?: number
  readonly decide?: readonly Rule[]
  readonly evolve?: readonly Rule[]
  readonly rules?: readonly Rule[]
}

/**
 * Names the code that a message meets at a consumer: its version, its rules, and the version of each
 * message type. A change may come of a formatter alone, so it must never do harm.
 */
export function codeFingerprint(consumer: ConsumerCode): string {
  const { version = 1, decide = [], evolve = [], rules = [] } = consumer
  const all = [...decide, ...evolve, ...rules]
  const types = all.map(({ on }) => `${on.wire} ${on.version}`).toSorted()
  const upcasters = all.flatMap(upcastersOf).toSorted()
  return fingerprint([version, textsOf(all), types, upcasters])
}
