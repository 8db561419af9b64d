import { Fault } from '../base/fault.ts'
import { checkMessage } from '../contract/door.ts'
import type { CommandMessage, CommandType, Message, QueryType } from '../contract/message.ts'
import type { TraceContext } from '../contract/trace-context.ts'
import { traceContextOf } from '../contract/trace-context.ts'
import type { SendOptions } from '../engine/sender.ts'
import { readJson } from '../http/json.ts'
import { problem } from '../http/problem.ts'
import { json } from '../http/response.ts'
import type { HttpRoute, RouteCall } from '../http/routes.ts'
import type { Neighbour } from './elsewhere.ts'
import { handingHeaders, tooOften } from './elsewhere.ts'
import { headerOfKey, keyFrom } from './idempotency-key.ts'
import { operationPath } from './operations.ts'
import type { DataMaker } from './request-data.ts'
import { dataMaker, invalid } from './request-data.ts'
import type { Route } from './route.ts'
import { messagePath } from './table.ts'
import type { GatewayTools } from './tools.ts'

/** What answers a route: everything that does not depend on the request is looked up here. */
export function runOf(tools: GatewayTools, route: Route): HttpRoute['run'] {
  const neighbour = tools.neighbours.get(route.type.contract)
  const make = dataMaker(route)
  const around: Around = { tools, route, make, neighbour }
  return route.type.kind === 'command'
    ? (call) => runCommand(around, call)
    : (call) => runQuery(around, call)
}

interface Around {
  readonly tools: GatewayTools
  readonly route: Route
  readonly make: DataMaker
  readonly neighbour: Neighbour | undefined
}

function badKey(header: string): Response {
  const isEmpty = header === '' || header === '""'
  const wanted = '1 to 128 visible characters of ASCII, as they are or in double quotes'
  const message = isEmpty ? `is empty: send ${wanted}, or no such header` : `must be ${wanted}`
  return problem('REQUEST_INVALID', {
    detail: 'the headers',
    complaints: [{ path: 'idempotency-key', message }],
  })
}

const traceOf = ({ headers }: Request): TraceContext =>
  traceContextOf({
    traceparent: headers.get('traceparent') ?? undefined,
    tracestate: headers.get('tracestate') ?? undefined,
  })

async function runCommand(
  { tools, route, make, neighbour }: Around,
  call: RouteCall,
): Promise<Response> {
  const { request } = call
  const type = route.type as CommandType
  const header = request.headers.get('idempotency-key')
  const given = header === null ? undefined : keyFrom(header)
  if (header !== null && given === undefined) return badKey(header)
  const body = await readJson(request, tools.bodyBytesMax)
  if (body.status === 'refused') return body.answer
  // An id of our own only where something is made of it; otherwise the app's will do.
  const key = given ?? (route.map || neighbour ? tools.mint() : undefined)
  const id = key === undefined ? undefined : `${type.contract}.${type.name}:${key}`
  const message = type(make(body.status === 'read' ? body.value : undefined, call, id ?? ''))
  if (neighbour) return handOn(tools, neighbour, request, type, message, key)
  const sent = await sendAnew(tools.app, message, {
    ...(id === undefined ? {} : { id }),
    ...traceOf(request),
  })
  const location = operationPath(sent.id)
  return json(
    202,
    { id: sent.id, is: 'pending', operation: location },
    sent.isRepeat ? { location, 'idempotency-replayed': 'true' } : { location },
  )
}

const SENDS_MAX = 4

/**
 * Requests that are under way at once have no order among them: one that was held back for the sake
 * of another's, which was not stored, is sent anew. It was not stored either.
 */
async function sendAnew(
  app: GatewayTools['app'],
  message: CommandMessage,
  options: SendOptions,
): Promise<{ readonly id: string; readonly isRepeat: boolean }> {
  for (let sends = 1; ; sends += 1) {
    try {
      return await app.send(message, options)
    } catch (cause) {
      const isHeldBack = cause instanceof Fault && cause.code === 'EARLIER_NOT_STORED'
      if (!isHeldBack || sends === SENDS_MAX) throw cause
    }
  }
}

async function runQuery(
  { tools, route, make, neighbour }: Around,
  call: RouteCall,
): Promise<Response> {
  const { request } = call
  const type = route.type as QueryType
  let data: unknown
  if (route.method === 'GET') data = make(undefined, call, '')
  else {
    const body = await readJson(request, tools.bodyBytesMax)
    if (body.status === 'refused') return body.answer
    data = make(body.status === 'read' ? body.value : undefined, call, '')
  }
  const message = type(data)
  if (neighbour) return handOn(tools, neighbour, request, type, message, undefined)
  const answer = await tools.app.ask(message)
  if (answer === null || answer === undefined)
    return problem('NOTHING_FOUND', { detail: type.wire })
  return json(200, answer)
}

/**
 * Checks a message as its owner would, and hands it on as it came: its schema changes it there, and
 * once only.
 */
async function handOn(
  { deadlineMs }: GatewayTools,
  neighbour: Neighbour,
  request: Request,
  type: CommandType | QueryType,
  message: Message,
  key: string | undefined,
): Promise<Response> {
  const handing = handingHeaders(request)
  if (!handing) return tooOften()
  const facts = neighbour.contracts.find(({ name }) => name === type.contract)
  if (!facts) throw new Error(`no gateway is known for ${type.contract}`)
  const verdict = checkMessage(facts, message)
  if (verdict.is === 'rejected') throw invalid(type.wire, verdict.complaints)
  return neighbour.hand({
    method: 'POST',
    path: messagePath(type),
    headers: {
      ...handing.headers,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': headerOfKey(key) }),
      ...traceOf(request),
    },
    ...(message.data === undefined ? {} : { body: JSON.stringify(message.data) }),
    deadlineMs,
  })
}
