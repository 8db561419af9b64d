import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { thrownText } from '../base/thrown.ts'

/** The output of a schema, or the issues of invalid data. */
export type Parsed =
  | { readonly is: 'taken'; readonly value: unknown }
  | { readonly is: 'rejected'; readonly complaints: readonly Complaint[] }

/**
 * Validates data with a schema, synchronously. An error that the schema throws becomes an issue. `name`
 * appears in messages.
 *
 * @throws Fault `SCHEMA_INVALID` if the schema returns a promise
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
    // The promise is not awaited; without a handler, its rejection would end the process.
    outcome.catch(() => undefined)
  } catch (cause) {
    return rejected(`the schema of ${name} threw: ${thrownText(cause)}`)
  }
  throw new Fault('SCHEMA_INVALID', {
    detail: name,
    complaints: [{ path: '', message: PROMISED }],
  })
}

/** Some libraries also return a promise if a check throws. */
const PROMISED = 'its schema returned a promise: it is asynchronous, or a check in it threw'

function rejected(message: string): Parsed {
  return { is: 'rejected', complaints: [{ path: '', message }] }
}

/** Formats a path of a Standard Schema issue: `lines[3].quantity`. */
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
