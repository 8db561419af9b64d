// Requests and results of backups and archives.
import type { LogEnd } from './event-log.ts'

/** Called with the progress of a long operation, in the unit of that operation. */
export type ReportProgress = (progress: { readonly done: number; readonly total: number }) => void

/** Describes a backup. Written to `backup.json` with these member names. */
export interface BackupSummary {
  /** When it began, in milliseconds since 1970. It contains at least what was acked before that. */
  readonly at: number
  /** The epoch of the data that was copied. A restore starts a new one. */
  readonly epoch: string
  readonly bytes: number
  /** Checksum of the database file, in hex. */
  readonly sha256: string
  /** The first and next offset of each partition. */
  readonly ends: readonly LogEnd[]
  /** Archive files that the data refers to; they are not part of the backup. */
  readonly archives: readonly string[]
}

/** Which records of a partition to move into archive files. */
export interface ArchiveRequest {
  readonly topic: string
  readonly partition: number
  /** Records below this offset are moved. */
  readonly before: number
  /** The directory for the files; created when it is missing. */
  readonly to: string
}

/** What one call moved out of a partition. */
export interface ArchiveResult {
  readonly topic: string
  readonly partition: number
  /** The offsets that are now in files, `to` excluded; empty where nothing was left to move. */
  readonly from: number
  readonly to: number
  readonly records: number
  /** Size of the new files. */
  readonly bytes: number
  readonly files: readonly string[]
}
