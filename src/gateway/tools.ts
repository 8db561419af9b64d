import type { Clock } from '../base/clock.ts'
import type { IdMaker } from '../base/id.ts'
import type { Problems } from '../http/problem.ts'
import type { App } from '../runtime/start.ts'
import type { Neighbour } from './elsewhere.ts'

/** What the handlers of one gateway share. */
export interface GatewayTools {
  readonly app: Pick<App, 'send' | 'ask' | 'find' | 'describe'>
  readonly clock: Clock
  readonly mint: IdMaker
  readonly deadlineMs: number
  readonly bodyBytesMax: number
  readonly neighbours: ReadonlyMap<string, Neighbour>
  readonly problemOf: Problems
}
