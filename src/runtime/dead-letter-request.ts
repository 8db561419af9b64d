import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { unknownNameMessage } from '../base/options.ts'

type Check = (value: unknown) => string | undefined

const isText: Check = (value) => (typeof value === 'string' ? undefined : 'must be a text')
const isTime: Check = (value) =>
  Number.isFinite(value) ? undefined : 'must be a number of milliseconds since 1970'
const isRate: Check = (value) =>
  Number.isFinite(value) && (value as number) > 0 ? undefined : 'must be a number above 0'

const FILTER: Readonly<Record<string, Check>> = {
  consumer: isText,
  id: isText,
  key: isText,
  type: isText,
  cause: isText,
  since: isTime,
  until: isTime,
}
/** Checked where they are used. */
const unchecked: Check = () => undefined
const MEMBERS = {
  filter: FILTER,
  list: { ...FILTER, limit: unchecked, after: unchecked },
  request: { ...FILTER, by: isText, reason: isText, perSecond: isRate },
} as const

/**
 * A selection of dead letters as a program gives it. A member that is `undefined` or unknown is refused:
 * left out, it would select all of them.
 *
 * @throws Fault `OPTION_INVALID` with all issues
 */
export function checkedSelection<T extends object>(
  kind: keyof typeof MEMBERS,
  given: T | undefined,
): Partial<T> {
  const members: Readonly<Record<string, Check>> = MEMBERS[kind]
  const issues = Object.entries(given ?? {}).flatMap(([path, value]): Issue[] => {
    const check = Object.hasOwn(members, path) ? members[path] : undefined
    if (!check) return [{ path, message: unknownNameMessage(path, Object.keys(members)) }]
    const message = value === undefined ? 'is undefined: leave it out to select all' : check(value)
    return message === undefined ? [] : [{ path, message }]
  })
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'dead letters', issues })
  return given ?? {}
}
