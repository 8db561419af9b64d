import type { Clock } from '../../base/time/clock.ts'
import type { IdGenerator } from '../../base/id-generator.ts'
import type { Problems } from '../../http/problem.ts'
import type { App } from '../../runtime/start.ts'
import type { RemoteGateway } from './remote-gateway.ts'

/** What the handlers of one gateway share. */
export interface GatewayContext {
  readonly app: Pick<App, 'send' | 'ask' | 'find' | 'describe'>
  readonly clock: Clock
  readonly createId: IdGenerator
  readonly deadlineMs: number
  readonly bodyBytesMax: number
  readonly remotes: ReadonlyMap<string, RemoteGateway>
  readonly problemOf: Problems
}
