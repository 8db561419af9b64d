import { once } from 'node:events'
import type { WriteStream } from 'node:fs'
import { createWriteStream } from 'node:fs'
import { resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { assertOutside } from '../../../backends/embedded/files/index.ts'
import type { SalvagedItem } from '../../../backends/embedded/index.ts'
import { salvage as salvaged } from '../../../backends/embedded/index.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { Command } from '../../shared/command.ts'
import { dataDirectory } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { countText, manyText } from '../../terminal/format.ts'

export const salvage: Command = async (asked) => {
  const { terminal, flags } = asked
  if (!flags.to) {
    const issues = [{ path: 'to', message: 'is missing: name a file that does not exist' }]
    throw new Fault('OPTION_INVALID', { detail: 'salvage', issues })
  }
  const directory = dataDirectory(asked)
  const path = resolve(terminal.cwd, flags.to)
  assertOutside(directory, { path, option: 'to', of: 'data' })
  const counts = { records: 0, flawed: 0, unreadable: 0, unarchived: 0, compacted: 0 }
  let file: WriteStream | undefined
  for (const found of salvaged(directory)) {
    // Created with the first record, so that unreadable data leaves no empty file.
    file ??= await newFile(path, flags.to)
    count(counts, found)
    if (found.kind === 'compacted') continue
    if (!file.write(`${JSON.stringify(found)}\n`)) await once(file, 'drain')
    if (counts.records % 10_000 === 0) terminal.progress(manyText(counts.records, 'record'))
  }
  file ??= await newFile(path, flags.to)
  file.end()
  await finished(file)
  terminal.progress('')
  if (flags.json) terminal.print(JSON.stringify({ file: flags.to, ...counts }))
  else for (const line of linesOf(counts)) terminal.print(line)
  const isWhole = counts.flawed + counts.unreadable + counts.unarchived === 0
  return isWhole ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
}

interface Counts {
  records: number
  flawed: number
  unreadable: number
  unarchived: number
  compacted: number
}

function count(counts: Counts, found: SalvagedItem): void {
  if (found.kind === 'unreadable') counts.unreadable += found.to - found.from
  else counts[found.kind === 'record' ? 'records' : found.kind] += 1
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
    const issues = [{ path: 'to', message: `${given} ${what}` }]
    throw new Fault('OPTION_INVALID', { detail: 'salvage', issues, cause })
  }
}
