import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Fault } from '../base/fault.ts'
import type { Asked } from './command.ts'

const NAMED_MAX = 3

/** What tells a data directory: its marker, or without it the database. */
const FILES = ['throughline.json', 'throughline.db']

export const isData = (directory: string): boolean =>
  FILES.some((name) => existsSync(join(directory, name)))

/**
 * What was asked, of the data that was meant: where `--data` names a directory that holds none itself,
 * and exactly one below it does, it is that one, and stderr says so.
 *
 * @throws Fault `DATA_MISSING` where several below it hold data, with their names
 */
export function findData(asked: Asked): Asked {
  const { terminal, flags } = asked
  const directory = resolve(terminal.cwd, flags.data ?? '.')
  if (flags.data === undefined || isData(directory) || !existsSync(directory)) return asked
  const found = readdirSync(directory)
    .filter((name) => isData(join(directory, name)))
    .map((name) => join(flags.data, name))
  const [data] = found
  if (data === undefined) return asked
  if (found.length > 1) throw missing(flags.data, found)
  const note = `${flags.data} holds no data itself; ${data} does, and is used.`
  terminal.tell(flags.json ? JSON.stringify({ note }) : note)
  return { ...asked, flags: { ...flags, data } }
}

/** The fault for data that is not there, with what could have been named. */
export function missing(data: string, others: readonly string[], cause?: unknown): Fault {
  const named = others.slice(0, NAMED_MAX).map((path) => `--data ${path}`)
  return new Fault('DATA_MISSING', { detail: `${data}; but there is ${named.join(', ')}`, cause })
}
