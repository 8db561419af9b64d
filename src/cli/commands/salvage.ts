import { once } from 'node:events'
import type { WriteStream } from 'node:fs'
import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { mustLieOutside } from '../../backends/embedded/data-path.ts'
import type { Salvaged } from '../../backends/embedded/index.ts'
import { salvage as salvaged } from '../../backends/embedded/index.ts'
import { Fault } from '../../base/fault.ts'
import type { Command } from '../command.ts'
import { directoryOf } from '../data.ts'
import { EXITS } from '../exits.ts'
import { countText, manyText } from '../figures.ts'

export const salvage: Command = async (asked) => {
  const { terminal, flags } = asked
  if (!flags.to) {
    const complaints = [{ path: 'to', message: 'is missing: name a file that does not exist' }]
    throw new Fault('OPTION_INVALID', { detail: 'salvage', complaints })
  }
  const directory = directoryOf(asked)
  const path = resolve(terminal.cwd, flags.to)
  mustLieOutside(directory, { path, option: 'to', of: 'data' })
  const counts = { records: 0, flawed: 0, unreadable: 0, unarchived: 0, compacted: 0 }
  let file: WriteStream | undefined
  for (const found of salvaged(directory)) {
    // Created with the first record, so that unreadable data leaves no empty file.
    file ??= await newFile(path, flags.to)
    count(counts, found)
    if (found.is === 'compacted') continue
    if (!file.write(`${JSON.stringify(found)}\n`)) await once(file, 'drain')
    if (counts.records % 10_000 === 0) terminal.show(manyText(counts.records, 'record'))
  }
  file ??= await newFile(path, flags.to)
  file.end()
  await finished(file)
  terminal.show('')
  if (flags.json) terminal.print(JSON.stringify({ file: flags.to, ...counts }))
  else for (const line of linesOf(counts)) terminal.print(line)
  const isWhole = counts.flawed + counts.unreadable + counts.unarchived === 0
  return isWhole ? EXITS.fine.code : EXITS.wrong.code
}

interface Counts {
  records: number
  flawed: number
  unreadable: number
  unarchived: number
  compacted: number
}

function count(counts: Counts, found: Salvaged): void {
  if (found.is === 'unreadable') counts.unreadable += found.to - found.from
  else counts[found.is === 'record' ? 'records' : found.is] += 1
}

function linesOf({ records, flawed, unreadable, unarchived, compacted }: Counts): string[] {
  const lines = [
    `${manyText(records, 'record')} saved; ${countText(flawed)} with a wrong checksum, ` +
      `${countText(unreadable)} unreadable.`,
  ]
  if (unarchived > 0)
    lines.push(`${manyText(unarchived, 'record')} not saved: their archive cannot be read.`)
  if (compacted > 0) lines.push(`${manyText(compacted, 'record')} omitted: removed by compaction.`)
  return lines
}

/** @throws Fault `OPTION_INVALID` if the file exists or cannot be created */
async function newFile(path: string, given: string): Promise<WriteStream> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 })
  try {
    await once(file, 'open')
    return file
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string }
    const isThere = code === 'EEXIST'
    const what = isThere ? 'already exists: name a new file' : `cannot be written: ${message}`
    const complaints = [{ path: 'to', message: `${given} ${what}` }]
    throw new Fault('OPTION_INVALID', { detail: 'salvage', complaints, cause })
  }
}
