import { realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { Fault } from '../../base/fault.ts'

/**
 * Holds that a path to be written lies outside of a directory of data, whatever links lead there.
 *
 * @throws Fault `DIRECTORY_TAKEN`
 */
export function mustLieOutside(directory: string, path: string): void {
  const [data, target] = [realPath(directory), realPath(path)]
  const way = relative(data, target)
  if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) return
  const where = way === '' ? 'is the data itself' : `lies inside the data, which is ${data}`
  throw new Fault('DIRECTORY_TAKEN', { detail: `${path} ${where}` })
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
