export type { HttpHandler } from '../http/handler.ts'
export { fetchHandler } from '../http/handler.ts'
export type { RouteMethod } from '../http/routes.ts'
export type { JsonSchema } from '../contract/schema/json-schema.ts'
export type { OnError } from '../http/problem.ts'
export type { Listening, ListenOptions } from '../http/listen.ts'
export { listen } from '../http/listen.ts'
export type {
  CallOptions,
  Client,
  ClientOptions,
  CommandOptions,
  ProblemDetails,
  RemoteOperation,
} from './client.ts'
export { client, Problem } from './client.ts'
export type { RemoteContract } from './handlers/remote-gateway.ts'
export type { Gateway, GatewayOptions } from './gateway.ts'
export { gateway } from './gateway.ts'
export type { OpenApi } from './openapi/openapi.ts'
export type { OperationView } from './handlers/operations.ts'
export type { RouteRequest, Rejection, Route, RouteOptions } from './routing/route.ts'
export { reject, route } from './routing/route.ts'
