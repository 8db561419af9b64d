import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../../base/fault.ts'
import type { BackedUp } from '../../ports/keeping.ts'
import { syncDirectory } from './directory.ts'
import { FORMAT } from './schema.ts'

/** The content of `backup.json`, which lies in a backup beside the data. */
export interface BackupNote extends BackedUp {
  readonly made: 'throughline backup'
  readonly format: number
}

const noteOf = (directory: string): string => join(directory, 'backup.json')

/** Whether a directory is a backup. */
export const isBackup = (directory: string): boolean => existsSync(noteOf(directory))

/** Writes the manifest atomically. */
export function writeNote(directory: string, backedUp: BackedUp): void {
  const note: BackupNote = { made: 'throughline backup', format: FORMAT, ...backedUp }
  const next = `${noteOf(directory)}.new`
  writeFileSync(next, `${JSON.stringify(note)}\n`, { flush: true })
  renameSync(next, noteOf(directory))
  syncDirectory(directory)
}

/** @throws Fault `BACKUP_MISSING`, `BACKUP_DAMAGED`, `DATA_NEWER` */
export function readNote(directory: string): BackupNote {
  if (!isBackup(directory)) throw new Fault('BACKUP_MISSING', { detail: directory })
  let note: Partial<BackupNote> | null
  try {
    note = JSON.parse(readFileSync(noteOf(directory), 'utf8')) as Partial<BackupNote> | null
  } catch (cause) {
    throw new Fault('BACKUP_DAMAGED', { detail: `${noteOf(directory)} cannot be read`, cause })
  }
  if (!isNote(note))
    throw new Fault('BACKUP_DAMAGED', { detail: `${noteOf(directory)} is not a backup manifest` })
  if (note.format > FORMAT)
    throw new Fault('DATA_NEWER', {
      detail: `${directory} has format ${note.format}, and this version reads up to ${FORMAT}`,
    })
  return note
}

function isNote(note: Partial<BackupNote> | null): note is BackupNote {
  return (
    note?.made === 'throughline backup' &&
    Number.isInteger(note.format) &&
    Number.isInteger(note.bytes) &&
    typeof note.sha256 === 'string' &&
    typeof note.epoch === 'string'
  )
}

/** Chunk size for hashing: about a millisecond of work. */
const CHUNK_BYTES = 262_144

/** The SHA-256 of a file, in hex; `onChunk` gets every chunk. */
export async function hashOf(
  path: string,
  seen: (part: Buffer) => Promise<void> | void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(part as Buffer)
    await seen(part as Buffer)
  }
  return hash.digest('hex')
}
