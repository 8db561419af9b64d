import type { Unit } from 'throughline/backend'

/** A unit that changes nothing, to be extended. */
export const EMPTY_UNIT: Unit = {
  fences: [],
  progress: [],
  rows: [],
  checks: [],
  appends: [],
  streams: [],
  statuses: [],
}
