// Stores which definition the rows of each projection were made by, and guards units against a
// swap.
export type { ProjectionGuard } from './projection-guard.ts'
export { createProjectionGuard, hasProjections } from './projection-guard.ts'
export type { ProjectionStateStore } from './projection-state-store.ts'
export { createProjectionStateStore, findStaleProjections } from './projection-state-store.ts'
