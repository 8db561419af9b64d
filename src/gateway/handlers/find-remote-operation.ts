import { Fault } from '../../base/errors/fault.ts'
import type { RouteCall } from '../../http/routes.ts'
import type { RemoteGateway } from './remote-gateway.ts'
import { forwardHeaders, forwardingLoop } from './remote-gateway.ts'
import { operationPath, untilOf, waitMsOf } from './operations.ts'
import type { GatewayContext } from './gateway-context.ts'

const NOT_FOUND = 404

/**
 * Finds an operation at another gateway. An id that a gateway made names the contract, so only that
 * contract's gateway is asked. For any other id all gateways are asked, unless the request was
 * forwarded to this one.
 */
export async function findRemoteOperation(
  { app, remotes, deadlineMs }: GatewayContext,
  { request, url }: RouteCall,
  id: string,
): Promise<Response> {
  const unknown = new Fault('OPERATION_NOT_FOUND', { detail: id, ids: { id } })
  const named = remotes.get(id.slice(0, Math.max(0, id.indexOf('.'))))
  const isOwn = app
    .describe()
    .contracts.some(({ name, owner }) => owner !== undefined && id.startsWith(`${name}.`))
  if (remotes.size === 0 || (isOwn && !named)) throw unknown
  const forwarding = forwardHeaders(request)
  if (!forwarding) return forwardingLoop()
  const asked = named ? [named] : forwarding.count === 0 ? [...new Set(remotes.values())] : []
  if (asked.length === 0) throw unknown
  const waitMs = waitMsOf(url.searchParams)
  if (typeof waitMs !== 'number') return waitMs
  const until = untilOf(url.searchParams)
  if (typeof until !== 'string') return until
  const { signal } = request
  const accept = request.headers.get('accept')
  const headers = { ...forwarding.headers, ...(accept === null ? {} : { accept }) }
  const ask = (neighbour: RemoteGateway): Promise<Response> =>
    neighbour.forward({
      method: 'GET',
      path: `${operationPath(id)}?wait=${waitMs / 1_000}&until=${until}`,
      headers,
      deadlineMs: deadlineMs + waitMs,
      signal,
    })
  const answers = await Promise.all(asked.map(ask))
  const found = answers.find(({ status }) => status < 300)
  // A gateway that could not be reached may know the operation, so its error beats a 404.
  const answer = found ?? answers.find(({ status }) => status !== NOT_FOUND)
  if (answer) return answer
  throw unknown
}
