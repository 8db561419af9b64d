import { isAbsolute } from 'node:path'
import { Fault } from '../base/errors/fault.ts'
import type { BackupSummary, ReportProgress } from '../ports/backup-and-archive.ts'
import type { System } from './system.ts'

/**
 * Backs up all data of a system into a new directory on the machine that it runs on.
 *
 * @throws Fault `BACKEND_CANNOT`, `DIRECTORY_TAKEN`, `OPTION_INVALID`
 */
export async function backUpSystem(
  { backend }: System,
  to: string,
  onProgress: ReportProgress,
): Promise<BackupSummary> {
  if (!backend.backup) throw new Fault('BACKEND_CANNOT', { detail: 'backup' })
  assertAbsolutePath('to', to)
  return backend.backup(to, onProgress)
}

/** The caller may have another working directory than the owner of the data. */
export function assertAbsolutePath(path: string, directory: string): void {
  if (isAbsolute(directory)) return
  const issues = [{ path, message: 'must be an absolute path' }]
  throw new Fault('OPTION_INVALID', { detail: directory, issues })
}
