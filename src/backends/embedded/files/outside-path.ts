import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { Fault } from '../../../base/errors/fault.ts'

/** A path given as an option, and the kind of directory that it must lie outside of. */
export interface OutsidePath {
  readonly path: string
  readonly option: string
  readonly of: 'data' | 'backup'
}

/**
 * Checks that a path lies outside of a directory, with symbolic links resolved.
 *
 * @throws Fault `DIRECTORY_TAKEN` where it is that directory, `OPTION_INVALID` where it lies inside
 */
export function assertOutside(directory: string, { path, option, of }: OutsidePath): void {
  const [data, target] = [realPath(directory), realPath(path)]
  const fromData = relative(data, target)
  if (fromData === '..' || fromData.startsWith(`..${sep}`) || isAbsolute(fromData)) return
  if (fromData === '') throw new Fault('DIRECTORY_TAKEN', { detail: `${path} is the ${of} itself` })
  const message = `lies inside the ${of}: name a place outside of it`
  throw new Fault('OPTION_INVALID', { detail: path, issues: [{ path: option, message }] })
}

/** Resolves symbolic links of the part of a path that exists. */
function realPath(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    const above = dirname(absolute)
    return above === absolute ? absolute : join(realPath(above), basename(absolute))
  }
}
