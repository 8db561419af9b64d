import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import { thrownMessage } from '../../base/errors/thrown-error.ts'

/** The output of a schema, or the issues of invalid data. */
export type ParseResult =
  | { readonly status: 'valid'; readonly value: unknown }
  | { readonly status: 'invalid'; readonly issues: readonly Issue[] }

/**
 * Validates data with a schema, synchronously. An error that the schema throws becomes an issue. `name`
 * appears in messages.
 *
 * @throws Fault `SCHEMA_INVALID` if the schema returns a promise
 */
export function parseWithSchema(
  schema: StandardSchemaV1,
  name: string,
  data: unknown,
): ParseResult {
  try {
    const outcome = schema['~standard'].validate(data)
    if (!(outcome instanceof Promise)) {
      if (!outcome.issues) return { status: 'valid', value: outcome.value }
      const issues = outcome.issues
        .slice(0, LIMITS.issuesMax)
        .map((issue) => ({ path: formatPath(issue.path), message: issue.message }))
      return { status: 'invalid', issues }
    }
    // The promise is not awaited; without a handler, its rejection would end the process.
    outcome.catch(() => undefined)
  } catch (cause) {
    return invalid(`the schema of ${name} threw: ${thrownMessage(cause)}`)
  }
  throw new Fault('SCHEMA_INVALID', {
    detail: name,
    issues: [{ path: '', message: ASYNCHRONOUS }],
  })
}

/** Some libraries also return a promise if a check throws. */
const ASYNCHRONOUS = 'its schema returned a promise: it is asynchronous, or a check in it threw'

function invalid(message: string): ParseResult {
  return { status: 'invalid', issues: [{ path: '', message }] }
}

/** Formats a path of a Standard Schema issue: `lines[3].quantity`. */
export function formatPath(
  path: readonly (PropertyKey | { readonly key: PropertyKey })[] = [],
): string {
  let text = ''
  for (const step of path) {
    const key = typeof step === 'object' ? step.key : step
    text += typeof key === 'number' ? `[${key}]` : `${text ? '.' : ''}${String(key)}`
  }
  return text
}
