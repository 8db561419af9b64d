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

/** The handler of a route. Everything that does not depend on the request is computed once, here. */
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
  const wanted = '1 to 128 visible ASCII characters, bare or in double quotes'
  const message = isEmpty ? `is empty: send ${wanted}, or omit the header` : `must be ${wanted}`
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
  // Without a key, the app makes the id, unless `map` or the forwarded request needs it before.
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
 * Sends a command, and sends it again after `EARLIER_NOT_STORED`. That fault keeps the order of one
 * caller; concurrent HTTP requests have none, so the failure of another request must not fail this.
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
 * Validates a message as its owner would, and forwards the data as it came: a schema that changes
 * its value must do so once, at the owner.
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
