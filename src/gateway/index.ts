export type { HttpHandler } from '../http/handler.ts'
export { fetchHandler } from '../http/handler.ts'
export type { RouteMethod } from '../http/routes.ts'
export type { JsonSchema } from '../contract/json-schema.ts'
export type { Broke } from '../http/problem.ts'
export type { Listening, ListenOptions } from '../http/listen.ts'
export { listen } from '../http/listen.ts'
export type {
  CallOptions,
  Client,
  ClientOptions,
  CommandOptions,
  ProblemAbout,
  RemoteOperation,
} from './client.ts'
export { client, Problem } from './client.ts'
export type { Elsewhere } from './elsewhere.ts'
export type { Gateway, GatewayOptions } from './gateway.ts'
export { gateway } from './gateway.ts'
export type { OpenApi } from './openapi.ts'
export type { OperationView } from './operations.ts'
export type { Asked, Rejection, Route, RouteOptions } from './route.ts'
export { reject, route } from './route.ts'
