import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../../../base/errors/fault.ts'
import type { BackupSummary } from '../../../ports/backup-and-archive.ts'
import { syncDirectory } from './directory.ts'
import { FORMAT } from '../sql/index.ts'

/** The content of `backup.json`, which lies in a backup beside the data. */
export interface BackupManifest extends BackupSummary {
  readonly made: 'throughline backup'
  readonly format: number
}

const manifestPath = (directory: string): string => join(directory, 'backup.json')

/** Whether a directory is a backup. */
export const isBackup = (directory: string): boolean => existsSync(manifestPath(directory))

/** Writes the manifest atomically. */
export function writeManifest(directory: string, summary: BackupSummary): void {
  const manifest: BackupManifest = { made: 'throughline backup', format: FORMAT, ...summary }
  const next = `${manifestPath(directory)}.new`
  writeFileSync(next, `${JSON.stringify(manifest)}\n`, { flush: true })
  renameSync(next, manifestPath(directory))
  syncDirectory(directory)
}

/** @throws Fault `BACKUP_MISSING`, `BACKUP_DAMAGED`, `DATA_NEWER` */
export function readManifest(directory: string): BackupManifest {
  if (!isBackup(directory)) throw new Fault('BACKUP_MISSING', { detail: directory })
  let manifest: Partial<BackupManifest> | null
  try {
    manifest = JSON.parse(
      readFileSync(manifestPath(directory), 'utf8'),
    ) as Partial<BackupManifest> | null
  } catch (cause) {
    throw new Fault('BACKUP_DAMAGED', {
      detail: `${manifestPath(directory)} cannot be read`,
      cause,
    })
  }
  if (!isManifest(manifest))
    throw new Fault('BACKUP_DAMAGED', {
      detail: `${manifestPath(directory)} is not a backup manifest`,
    })
  if (manifest.format > FORMAT)
    throw new Fault('DATA_NEWER', {
      detail: `${directory} has format ${manifest.format}, and this version reads up to ${FORMAT}`,
    })
  return manifest
}

function isManifest(manifest: Partial<BackupManifest> | null): manifest is BackupManifest {
  return (
    manifest?.made === 'throughline backup' &&
    Number.isInteger(manifest.format) &&
    Number.isInteger(manifest.bytes) &&
    typeof manifest.sha256 === 'string' &&
    typeof manifest.epoch === 'string'
  )
}

/** Chunk size for hashing: about a millisecond of work. */
const CHUNK_BYTES = 262_144

/** The SHA-256 of a file, in hex; `onChunk` gets every chunk. */
export async function hashFile(
  path: string,
  onChunk: (part: Buffer) => Promise<void> | void = () => undefined,
): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(part as Buffer)
    await onChunk(part as Buffer)
  }
  return hash.digest('hex')
}
