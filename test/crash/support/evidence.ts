import type { Observed } from './protocol.ts'
import type { Snapshot } from './snapshot.ts'

/** The input of a check. */
export interface Evidence {
  readonly observed: Observed
  readonly snapshot: Snapshot
  /** Everything was processed, so nothing may be open. */
  readonly isSettled: boolean
}
