// Copies a data directory while its owner works, and restores such a copy.
export { createBackup } from './create-backup.ts'
export type { RestoreOptions, RestoreResult } from './restore.ts'
export { restore } from './restore.ts'
