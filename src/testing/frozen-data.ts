import type { RuleSeen } from '../engine/seen.ts'

/**
 * Has every rule see its message, state and row frozen all the way down. What was frozen once is not
 * walked again, so that a large state costs what of it is new. Tools are left as they are.
 */
export function withFrozenData(): RuleSeen {
  const done = new WeakSet()
  const freeze = (value: object): void => {
    if (done.has(value)) return
    done.add(value)
    for (const member of Object.values(value)) freezeAny(member)
    Object.freeze(value)
  }
  const freezeAny = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) freeze(value)
  }
  /** A decision over several entities knows a map of their states. */
  const freezeKnown = (known: unknown): void => {
    if (known instanceof Map) known.forEach(freezeAny)
    else freezeAny(known)
  }
  return (rule, of) => ({
    ...rule,
    run(data, known, occasion) {
      freezeAny(data)
      if (of !== 'handler') freezeKnown(known)
      return rule.run(data, known, occasion)
    },
  })
}
