import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import { parseWithSchema } from '../../contract/schema/parse.ts'
import { shapeIssues } from '../../contract/data/shape.ts'
import type { RouteCall, RouteParams } from '../../http/routes.ts'
import type { RouteRequest, Route } from './route.ts'
import { isRejection } from './route.ts'
import { jsonSchemaOf, resolverOf } from './schema.ts'
import { paramsInData, shapesOf } from './object-shape.ts'
import { isSameJson, createTextReader } from './text-reader.ts'

/**
 * Creates the data of a message from a request; `body` is `undefined` if the request has none.
 *
 * @throws Fault `MESSAGE_INVALID` with all issues of the step that failed
 */
export type CreateData = (body: unknown, call: RouteCall, id: string) => unknown

/** Prepares a route: everything that does not depend on the request is computed once, here. */
export function createDataReader({ method, path, type, body: schema, map }: Route): CreateData {
  const { wire } = type
  const check = (body: unknown): unknown => (schema ? validateBody(wire, schema, body) : body)
  if (map) {
    return (body, { url, params }, id) => {
      const shape = shapeIssues(body)
      if (shape.length > 0) throw messageInvalid(wire, shape)
      const asked: RouteRequest = { body: check(body), params, query: url.searchParams, id }
      const made = map(asked as RouteRequest<never, never>)
      if (isRejection(made)) throw messageInvalid(wire, made.issues)
      return made
    }
  }
  const schemaOfData = jsonSchemaOf(type.schema, 'input')
  const shapes = shapesOf(schemaOfData, resolverOf(schemaOfData))
  const named = paramsInData(path, shapes)
  const read = createTextReader(schemaOfData)
  const textsOf = (params: RouteParams): Map<string, readonly string[]> =>
    new Map(named.map((name) => [name, [params[name] ?? '']]))
  if (method === 'GET')
    return (_body, { url, params }) => {
      const [asked, texts] = [textsByName(url.searchParams), textsOf(params)]
      const fromPath = read(new Map([...asked, ...texts]))
      if (named.some((name) => asked.has(name)))
        assertAgreement(wire, named, read(new Map([...texts, ...asked])), fromPath)
      return fromPath
    }
  return (body, { params }) => {
    const said = check(body === undefined && shapes.length > 0 ? {} : body)
    if (named.length === 0 || !isObject(said)) return said
    return withParams(wire, said, read(textsOf(params), said))
  }
}

function textsByName(query: URLSearchParams): ReadonlyMap<string, readonly string[]> {
  const texts = new Map<string, string[]>()
  for (const [name, text] of query) {
    const known = texts.get(name)
    if (known) known.push(text)
    else texts.set(name, [text])
  }
  return texts
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The body with the parameters of the path added. */
function withParams(
  wire: string,
  body: Readonly<Record<string, unknown>>,
  fromPath: Readonly<Record<string, unknown>>,
): unknown {
  assertAgreement(wire, Object.keys(fromPath), body, fromPath)
  return { ...body, ...fromPath }
}

/** A value that is both in the path and in the body or query string must be the same in both. */
function assertAgreement(
  wire: string,
  names: readonly string[],
  given: Readonly<Record<string, unknown>>,
  fromPath: Readonly<Record<string, unknown>>,
): void {
  const issues = names
    .filter((name) => Object.hasOwn(given, name) && !isSameJson(given[name], fromPath[name]))
    .map((path) => ({ path, message: 'differs from the value in the path' }))
  if (issues.length > 0) throw messageInvalid(wire, issues)
}

function validateBody(wire: string, schema: StandardSchemaV1, body: unknown): unknown {
  const outcome = parseWithSchema(schema, `the body of ${wire}`, body)
  if (outcome.status === 'valid') return outcome.value
  throw messageInvalid(wire, outcome.issues)
}

export function messageInvalid(wire: string, issues: readonly Issue[]): Fault {
  const few = issues.slice(0, LIMITS.issuesMax)
  return new Fault('MESSAGE_INVALID', { detail: wire, issues: few })
}
