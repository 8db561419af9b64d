// Manages the files of a data directory: owner lock, high-water mark, backup manifest and the
// database file.
export type { BackupManifest } from './backup-manifest.ts'
export { hashFile, readManifest, writeManifest } from './backup-manifest.ts'
export type { DataFiles, Ownership } from './directory.ts'
export { dataFiles, hasWal, lockDirectory, syncDirectory, writeMarker } from './directory.ts'
export { COMMITS_SLOT, readHeadSlots } from './head-slots.ts'
export type { HighWater, Mark } from './high-water.ts'
export { createHighWater, openHighWater } from './high-water.ts'
export type { OpenDatabase } from './open-database.ts'
export { openDatabase, openReadOnly } from './open-database.ts'
export { assertOutside } from './outside-path.ts'
