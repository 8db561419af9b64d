// What operators have a backend do to keep what it holds: copies of it, and moving
// out what is old.
import type { LogEnd } from './log.ts'

/** How far a long work is; both in the unit of that work. */
export type Tell = (progress: { readonly done: number; readonly total: number }) => void

/** What a backup holds. */
export interface BackedUp {
  /** When it was begun, in milliseconds since 1970; it holds at least what was acked until then. */
  readonly at: number
  /** Which life of the data it is a copy of. A restore begins another one. */
  readonly epoch: string
  readonly bytes: number
  /** Of the database file, in hex. */
  readonly sha256: string
  /** Where each partition began and ended. */
  readonly ends: readonly LogEnd[]
  /** Files of archives that it needs, and that are not in it. */
  readonly archives: readonly string[]
}

/** What shall be moved out of a partition. */
export interface ArchiveWish {
  readonly topic: string
  readonly partition: number
  /** Records below this offset go. */
  readonly before: number
  /** The directory for the files; made when it is missing. */
  readonly to: string
}

/** What was moved out of a partition, by one call. */
export interface Archived {
  readonly topic: string
  readonly partition: number
  /** The range that is in files now, up to and without `to`; empty where nothing was left to move. */
  readonly from: number
  readonly to: number
  readonly records: number
  /** Of the new files. */
  readonly bytes: number
  readonly files: readonly string[]
}
