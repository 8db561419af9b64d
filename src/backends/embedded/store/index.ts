// Stores the rows of services in the database: tables, entity streams, consumer progress and
// leases.
export type { EntityStreams } from './entity-streams.ts'
export { createEntityStreams } from './entity-streams.ts'
export type { Leases } from './leases.ts'
export { createLeases } from './leases.ts'
export type { ProgressTable } from './progress-table.ts'
export { createProgressTable } from './progress-table.ts'
export { swapTables } from './swap-tables.ts'
export type { Tables } from './tables.ts'
export { createTables } from './tables.ts'
