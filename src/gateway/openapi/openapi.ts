import type { AnyContract } from '../../contract/contract.ts'
import { definitionOf } from '../../contract/contract.ts'
import type { QueryType } from '../../contract/message.ts'
import type { Route } from '../routing/route.ts'
import { requestBodyOf } from './request-body.ts'
import type { Components } from './components.ts'
import { createComponents } from './components.ts'
import { KEY_PARAMETER, parametersOf } from './parameters.ts'
import type { JsonSchema } from '../routing/schema.ts'
import { jsonSchemaOf } from '../routing/schema.ts'
import { GATEWAY_PATHS, GATEWAY_RESPONSES, GATEWAY_SCHEMAS } from './own-paths.ts'

/** An OpenAPI 3.1 document as plain JSON. */
export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
}

interface Document {
  /** Contracts whose messages are forwarded to another gateway. */
  readonly remote: ReadonlySet<string>
  readonly components: Components
  readonly operationIds: Set<string>
}

export interface DescriptionOptions {
  readonly title?: string
  readonly version?: string
  readonly remote?: readonly { readonly contract: AnyContract }[]
}

/** Builds the OpenAPI document of a gateway with these routes. */
export function describeRoutes(
  table: readonly Route[],
  { title = 'Throughline', version = '0', remote = [] }: DescriptionOptions,
): OpenApi {
  const document: Document = {
    remote: new Set(remote.map(({ contract }) => definitionOf(contract).name)),
    components: createComponents(GATEWAY_SCHEMAS),
    operationIds: new Set(),
  }
  const paths: Record<string, Record<string, JsonSchema>> = {}
  const named = new Map<string, string>()
  for (const route of table) {
    // In OpenAPI, paths that differ only in parameter names are the same path.
    const shape = route.path.replaceAll(PART, ':')
    const path = named.get(shape) ?? route.path.replaceAll(PART, '{$1}')
    named.set(shape, path)
    const operation = operationOf(document, route, path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation }
  }
  return {
    openapi: '3.1.0',
    info: { title, version },
    paths: { ...paths, ...GATEWAY_PATHS },
    components: { schemas: document.components.all(), responses: GATEWAY_RESPONSES },
  }
}

const PART = /:([^/]+)/g

function operationOf(document: Document, route: Route, path: string): JsonSchema {
  const { type, method, summary } = route
  const isCommand = type.kind === 'command'
  const parameters = [
    ...parametersOf(document.components, route, path),
    ...(isCommand ? [KEY_PARAMETER] : []),
  ]
  const description = isCommand ? refusalsText(type.refuses as readonly string[]) : undefined
  return {
    operationId: uniqueId(document, `${type.contract}.${type.name}`),
    summary: summary ?? type.wire,
    ...(description === undefined ? {} : { description }),
    tags: [type.contract],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(method === 'GET' ? {} : { requestBody: requestBodyOf(document.components, route) }),
    responses: {
      ...(isCommand ? commandResponses() : queryResponses(document, type)),
      ...(document.remote.has(type.contract) ? problemsOf('502', '508') : {}),
    },
  }
}

function refusalsText(refuses: readonly string[]): string | undefined {
  return refuses.length === 0
    ? undefined
    : `Refusal codes: ${refuses.map((code) => `\`${code}\``).join(', ')}.`
}

function uniqueId({ operationIds }: Document, name: string): string {
  let id = name
  for (let count = 2; operationIds.has(id); count += 1) id = `${name}.${count}`
  operationIds.add(id)
  return id
}

const PROBLEM = { $ref: '#/components/responses/Problem' }

function commandResponses(): JsonSchema {
  return {
    202: { $ref: '#/components/responses/Accepted' },
    ...problemsOf('400', '403', '409', '413', '415', '429', '500', '503'),
  }
}

function queryResponses({ components }: Document, type: QueryType | Route['type']): JsonSchema {
  const { answers } = type as QueryType
  const answer = jsonSchemaOf(answers, 'output')
  const schema = components.refer(answer, `${type.contract}.${type.name}.Answer`, { $ref: '#' })
  return {
    200: { description: 'The result.', content: { 'application/json': { schema } } },
    ...problemsOf('400', '403', '404', '413', '415', '500', '503'),
  }
}

function problemsOf(...statuses: readonly string[]): JsonSchema {
  return Object.fromEntries(statuses.map((status) => [status, PROBLEM]))
}
