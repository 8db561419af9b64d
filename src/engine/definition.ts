import { digest } from '../base/digest.ts'
import type { Entity } from '../rules/entity.ts'
import type { Projection } from '../rules/projection.ts'
import type { Rule } from '../rules/rule.ts'

/** Quoted text, which stays as it is, or a run of white space. */
const PIECES = /("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)|\s+/g
const WORD = /[\w$]/

/**
 * The source text of a function, apart from its white space: types that are stripped leave blanks
 * behind, and a line that is broken elsewhere changes nothing.
 */
export function sourceOf(run: (...args: never[]) => unknown): string {
  const text = run.toString()
  return text.replace(PIECES, (piece: string, quoted: string | undefined, at: number) => {
    if (quoted !== undefined) return quoted
    const isBetweenWords = WORD.test(text[at - 1] ?? '') && WORD.test(text[at + piece.length] ?? '')
    if (!isBetweenWords) return ''
    return piece.includes('\n') ? '\n' : ' '
  })
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
function upsOf({ on }: Rule): readonly string[] {
  return on.was.map(([, up]) => sourceOf(up))
}

/**
 * Names everything that an entity's state follows from, as far as its source shows it. What a rule
 * calls is not seen: that is what `version` is for.
 */
export function rulesOfEntity({ version, id, initial, evolve }: Entity): string {
  const ups = evolve.map((rule) => [rule.on.name, ...upsOf(rule)].join('\n')).toSorted()
  return digest(JSON.stringify([version, id, initial, textsOf(evolve), ups]))
}

/**
 * The same for the rows of a projection; its version stands beside it. How events of earlier versions
 * are read is left to their owner: it may change while the rows stay right.
 */
export function rulesOfProjection({ by, indexes, rules }: Projection): string {
  return digest(JSON.stringify([by, indexes.toSorted(), textsOf(rules)]))
}
