import type { Unit } from './store.ts'

/** A unit that changes nothing; spread it below what a unit does change. */
export const EMPTY_UNIT = {
  fences: [],
  progress: [],
  rows: [],
  checks: [],
  appends: [],
  streams: [],
} satisfies Unit
