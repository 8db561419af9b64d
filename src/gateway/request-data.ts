import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { parse } from '../contract/parse.ts'
import { complaintsOfShape } from '../contract/shape.ts'
import type { RouteCall, RouteParams } from '../http/routes.ts'
import type { Asked, Route } from './route.ts'
import { isRejection } from './route.ts'
import { jsonSchemaOf, resolverOf } from './schema.ts'
import { namesInData, shapesOf } from './shape.ts'
import { isSame, textReader } from './url-text.ts'

/**
 * Creates the data of a message from a request; `body` is `undefined` if the request has none.
 *
 * @throws Fault `MESSAGE_INVALID` with all issues of the step that failed
 */
export type DataMaker = (body: unknown, call: RouteCall, id: string) => unknown

/** Prepares a route: everything that does not depend on the request is computed once, here. */
export function dataMaker({ method, path, type, body: schema, map }: Route): DataMaker {
  const { wire } = type
  const check = (body: unknown): unknown => (schema ? checked(wire, schema, body) : body)
  if (map) {
    return (body, { url, params }, id) => {
      const shape = complaintsOfShape(body)
      if (shape.length > 0) throw invalid(wire, shape)
      const asked: Asked = { body: check(body), params, query: url.searchParams, id }
      const made = map(asked as Asked<never, never>)
      if (isRejection(made)) throw invalid(wire, made.complaints)
      return made
    }
  }
  const schemaOfData = jsonSchemaOf(type.schema, 'input')
  const shapes = shapesOf(schemaOfData, resolverOf(schemaOfData))
  const named = namesInData(path, shapes)
  const read = textReader(schemaOfData)
  const textsOf = (params: RouteParams): Map<string, readonly string[]> =>
    new Map(named.map((name) => [name, [params[name] ?? '']]))
  if (method === 'GET')
    return (_body, { url, params }) => {
      const [asked, texts] = [listed(url.searchParams), textsOf(params)]
      const fromPath = read(new Map([...asked, ...texts]))
      if (named.some((name) => asked.has(name)))
        mustAgree(wire, named, read(new Map([...texts, ...asked])), fromPath)
      return fromPath
    }
  return (body, { params }) => {
    const said = check(body === undefined && shapes.length > 0 ? {} : body)
    if (named.length === 0 || !isObject(said)) return said
    return withParams(wire, said, read(textsOf(params), said))
  }
}

function listed(query: URLSearchParams): ReadonlyMap<string, readonly string[]> {
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
  said: Readonly<Record<string, unknown>>,
  fromPath: Readonly<Record<string, unknown>>,
): unknown {
  mustAgree(wire, Object.keys(fromPath), said, fromPath)
  return { ...said, ...fromPath }
}

/** A value that is both in the path and in the body or query string must be the same in both. */
function mustAgree(
  wire: string,
  names: readonly string[],
  said: Readonly<Record<string, unknown>>,
  fromPath: Readonly<Record<string, unknown>>,
): void {
  const complaints = names
    .filter((name) => Object.hasOwn(said, name) && !isSame(said[name], fromPath[name]))
    .map((path) => ({ path, message: 'differs from the value in the path' }))
  if (complaints.length > 0) throw invalid(wire, complaints)
}

function checked(wire: string, schema: StandardSchemaV1, body: unknown): unknown {
  const outcome = parse(schema, `the body of ${wire}`, body)
  if (outcome.is === 'taken') return outcome.value
  throw invalid(wire, outcome.complaints)
}

export function invalid(wire: string, complaints: readonly Complaint[]): Fault {
  const few = complaints.slice(0, LIMITS.complaintsMax)
  return new Fault('MESSAGE_INVALID', { detail: wire, complaints: few })
}
