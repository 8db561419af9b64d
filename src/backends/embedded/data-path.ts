import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { Fault } from '../../base/fault.ts'

/** A path that somebody named: by which option, and of what it must lie outside. */
export interface NamedPath {
  readonly path: string
  readonly option: string
  readonly of: 'data' | 'backup'
}

/**
 * Holds that a path to be written lies outside of a directory of data, whatever links lead there.
 *
 * @throws Fault `DIRECTORY_TAKEN` where it is that directory, `OPTION_INVALID` where it lies inside
 */
export function mustLieOutside(directory: string, { path, option, of }: NamedPath): void {
  const [data, target] = [realPath(directory), realPath(path)]
  const way = relative(data, target)
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) return
  if (way === '') throw new Fault('DIRECTORY_TAKEN', { detail: `${path} is the ${of} itself` })
  const message = `lies inside the ${of}: name a place outside of it`
  throw new Fault('OPTION_INVALID', { detail: path, complaints: [{ path: option, message }] })
}

/** A path without links, as far as it is there. */
function realPath(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    const above = dirname(absolute)
    return above === absolute ? absolute : join(realPath(above), basename(absolute))
  }
}
