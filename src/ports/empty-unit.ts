import type { Unit } from './event-store.ts'

/** A unit without changes, as a base for units to build on. */
export const EMPTY_UNIT = {
  fences: [],
  progress: [],
  rows: [],
  checks: [],
  appends: [],
  streams: [],
  statuses: [],
} satisfies Unit
