import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Fault } from '../../base/errors/fault.ts'
import type { Invocation } from './command.ts'

const NAMED_MAX = 3

/** The files that identify a data directory: its marker or its database. */
const DATA_FILES = ['throughline.json', 'throughline.db']

export const isDataDirectory = (directory: string): boolean =>
  DATA_FILES.some((name) => existsSync(join(directory, name)))

/**
 * Corrects `--data`: if it names a directory without data, and exactly one subdirectory has data, uses
 * that one and says so on stderr.
 *
 * @throws Fault `DATA_MISSING` if several subdirectories have data, with their names
 */
export function findData(asked: Invocation): Invocation {
  const { terminal, flags } = asked
  const directory = resolve(terminal.cwd, flags.data ?? '.')
  if (flags.data === undefined || isDataDirectory(directory) || !existsSync(directory)) return asked
  const found = readdirSync(directory)
    .filter((name) => isDataDirectory(join(directory, name)))
    .map((name) => join(flags.data, name))
  const [data] = found
  if (data === undefined) return asked
  if (found.length > 1) throw dataMissing(flags.data, found)
  const note = `${flags.data} has no data itself; using ${data}.`
  terminal.notice(flags.json ? JSON.stringify({ note }) : note)
  return { ...asked, flags: { ...flags, data } }
}

/** The fault for missing data, with the data directories that exist. */
export function dataMissing(data: string, others: readonly string[], cause?: unknown): Fault {
  const named = others.slice(0, NAMED_MAX).map((path) => `--data ${path}`)
  return new Fault('DATA_MISSING', { detail: `${data}; try ${named.join(', ')}`, cause })
}
