import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { thrownText } from '../base/thrown.ts'

/** What a schema made of data, or why it took it not. */
export type Parsed =
  | { readonly is: 'taken'; readonly value: unknown }
  | { readonly is: 'rejected'; readonly complaints: readonly Complaint[] }

/**
 * Has a schema check data at once; whatever it throws is a complaint. `name` is for people.
 *
 * @throws Fault `SCHEMA_INVALID` where it answers with a promise: that is no matter of the data
 */
export function parse(schema: StandardSchemaV1, name: string, data: unknown): Parsed {
  try {
    const outcome = schema['~standard'].validate(data)
    if (!(outcome instanceof Promise)) {
      if (!outcome.issues) return { is: 'taken', value: outcome.value }
      const complaints = outcome.issues
        .slice(0, LIMITS.complaintsMax)
        .map((issue) => ({ path: pathText(issue.path), message: issue.message }))
      return { is: 'rejected', complaints }
    }
    // Nobody waits for it, and what nobody waits for must not end the process when it fails.
    outcome.catch(() => undefined)
  } catch (cause) {
    return rejected(`the schema of ${name} threw: ${thrownText(cause)}`)
  }
  throw new Fault('SCHEMA_INVALID', {
    detail: name,
    complaints: [{ path: '', message: PROMISED }],
  })
}

/** Some libraries answer with a promise as well where a check has thrown. */
const PROMISED = 'its schema answered with a promise: it is asynchronous, or something in it threw'

function rejected(message: string): Parsed {
  return { is: 'rejected', complaints: [{ path: '', message }] }
}

/** A path of Standard Schema as text: `lines[3].quantity`. */
export function pathText(
  path: readonly (PropertyKey | { readonly key: PropertyKey })[] = [],
): string {
  let text = ''
  for (const step of path) {
    const key = typeof step === 'object' ? step.key : step
    text += typeof key === 'number' ? `[${key}]` : `${text ? '.' : ''}${String(key)}`
  }
  return text
}
