import { Fault } from '../../base/errors/fault.ts'
import { validateMessage } from '../../contract/validate-message.ts'
import type { CommandMessage, CommandType, Message, QueryType } from '../../contract/message.ts'
import type { TraceContext } from '../../contract/trace-context.ts'
import { validTraceContext } from '../../contract/trace-context.ts'
import type { SendOptions } from '../../engine/producer/index.ts'
import { readJson } from '../../http/json.ts'
import { problem } from '../../http/problem.ts'
import { json } from '../../http/response.ts'
import type { HttpRoute, RouteCall } from '../../http/routes.ts'
import type { RemoteGateway } from './remote-gateway.ts'
import { forwardHeaders, forwardingLoop } from './remote-gateway.ts'
import { headerOfKey, keyFrom } from '../routing/idempotency-key.ts'
import { operationPath } from './operations.ts'
import type { CreateData } from '../routing/request-data.ts'
import { createDataReader, messageInvalid } from '../routing/request-data.ts'
import type { Route } from '../routing/route.ts'
import { messagePath } from '../routing/route-table.ts'
import type { GatewayContext } from './gateway-context.ts'

/** The handler of a route. Everything that does not depend on the request is computed once, here. */
export function createRouteHandler(tools: GatewayContext, route: Route): HttpRoute['run'] {
  const neighbour = tools.remotes.get(route.type.contract)
  const make = createDataReader(route)
  const routeContext: RouteContext = { context: tools, route, createData: make, remote: neighbour }
  return route.type.kind === 'command'
    ? (call) => runCommand(routeContext, call)
    : (call) => runQuery(routeContext, call)
}

interface RouteContext {
  readonly context: GatewayContext
  readonly route: Route
  readonly createData: CreateData
  readonly remote: RemoteGateway | undefined
}

function invalidKey(header: string): Response {
  const isEmpty = header === '' || header === '""'
  const wanted = '1 to 128 visible ASCII characters, bare or in double quotes'
  const message = isEmpty ? `is empty: send ${wanted}, or omit the header` : `must be ${wanted}`
  return problem('REQUEST_INVALID', {
    detail: 'the headers',
    issues: [{ path: 'idempotency-key', message }],
  })
}

const traceContextIn = ({ headers }: Request): TraceContext =>
  validTraceContext({
    traceparent: headers.get('traceparent') ?? undefined,
    tracestate: headers.get('tracestate') ?? undefined,
  })

async function runCommand(
  { context, route, createData, remote }: RouteContext,
  call: RouteCall,
): Promise<Response> {
  const { request } = call
  const type = route.type as CommandType
  const header = request.headers.get('idempotency-key')
  const given = header === null ? undefined : keyFrom(header)
  if (header !== null && given === undefined) return invalidKey(header)
  const body = await readJson(request, context.bodyBytesMax)
  if (body.status === 'refused') return body.answer
  // Without a key, the app makes the id, unless `map` or the forwarded request needs it before.
  const key = given ?? (route.map || remote ? context.createId() : undefined)
  const id = key === undefined ? undefined : `${type.contract}.${type.name}:${key}`
  const message = type(createData(body.status === 'read' ? body.value : undefined, call, id ?? ''))
  if (remote) return forwardMessage(context, remote, request, type, message, key)
  const sent = await sendWithRetry(context.app, message, {
    ...(id === undefined ? {} : { id }),
    ...traceContextIn(request),
  })
  const location = operationPath(sent.id)
  return json(
    202,
    { id: sent.id, status: 'pending', operation: location },
    sent.isDuplicate ? { location, 'idempotency-replayed': 'true' } : { location },
  )
}

const SENDS_MAX = 4

/**
 * Sends a command, and sends it again after `EARLIER_NOT_STORED`. That fault keeps the order of one
 * caller; concurrent HTTP requests have none, so the failure of another request must not fail this.
 */
async function sendWithRetry(
  app: GatewayContext['app'],
  message: CommandMessage,
  options: SendOptions,
): Promise<{ readonly id: string; readonly isDuplicate: boolean }> {
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
  { context, route, createData, remote }: RouteContext,
  call: RouteCall,
): Promise<Response> {
  const { request } = call
  const type = route.type as QueryType
  let data: unknown
  if (route.method === 'GET') data = createData(undefined, call, '')
  else {
    const body = await readJson(request, context.bodyBytesMax)
    if (body.status === 'refused') return body.answer
    data = createData(body.status === 'read' ? body.value : undefined, call, '')
  }
  const message = type(data)
  if (remote) return forwardMessage(context, remote, request, type, message, undefined)
  const answer = await context.app.ask(message)
  if (answer === null || answer === undefined)
    return problem('NOTHING_FOUND', { detail: type.wire })
  return json(200, answer)
}

/**
 * Validates a message as its owner would, and forwards the data as it came: a schema that changes
 * its value must do so once, at the owner.
 */
async function forwardMessage(
  { deadlineMs }: GatewayContext,
  remote: RemoteGateway,
  request: Request,
  type: CommandType | QueryType,
  message: Message,
  key: string | undefined,
): Promise<Response> {
  const forwarding = forwardHeaders(request)
  if (!forwarding) return forwardingLoop()
  const facts = remote.contracts.find(({ name }) => name === type.contract)
  if (!facts) throw new Error(`no gateway is known for ${type.contract}`)
  const verdict = validateMessage(facts, message)
  if (verdict.status === 'invalid') throw messageInvalid(type.wire, verdict.issues)
  return remote.forward({
    method: 'POST',
    path: messagePath(type),
    headers: {
      ...forwarding.headers,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': headerOfKey(key) }),
      ...traceContextIn(request),
    },
    ...(message.data === undefined ? {} : { body: JSON.stringify(message.data) }),
    deadlineMs,
  })
}
