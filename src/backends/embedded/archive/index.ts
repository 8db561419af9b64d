// Moves old record payloads to compressed files, and reads them back.
export type { ArchiveIndex } from './archive-index.ts'
export { createArchiveIndex } from './archive-index.ts'
export { archivePartition } from './archive-partition.ts'
