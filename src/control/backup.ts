import { isAbsolute } from 'node:path'
import { Fault } from '../base/fault.ts'
import type { BackedUp, Tell } from '../ports/keeping.ts'
import type { System } from './system.ts'

/**
 * Backs up all data of a system into a new directory on the machine that it runs on.
 *
 * @throws Fault `BACKEND_CANNOT`, `DIRECTORY_TAKEN`, `OPTION_INVALID`
 */
export async function backUp({ backend }: System, to: string, tell: Tell): Promise<BackedUp> {
  if (!backend.backup) throw new Fault('BACKEND_CANNOT', { detail: 'backup' })
  mustBeAbsolute('to', to)
  return backend.backup(to, tell)
}

/** The caller may have another working directory than the owner of the data. */
export function mustBeAbsolute(path: string, directory: string): void {
  if (isAbsolute(directory)) return
  const complaints = [{ path, message: 'must be an absolute path' }]
  throw new Fault('OPTION_INVALID', { detail: directory, complaints })
}
