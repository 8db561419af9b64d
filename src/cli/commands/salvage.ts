import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { salvage as salvaged } from '../../backends/embedded/index.ts'
import { Fault } from '../../base/fault.ts'
import type { Command } from '../command.ts'
import { directoryOf } from '../data.ts'
import { EXITS } from '../exits.ts'
import { manyText } from '../figures.ts'

export const salvage: Command = async (asked) => {
  const { terminal, flags } = asked
  if (!flags.to) {
    const complaints = [{ path: 'to', message: 'is missing: name a file that is not there yet' }]
    throw new Fault('OPTION_INVALID', { detail: 'salvage', complaints })
  }
  const file = createWriteStream(resolve(terminal.cwd, flags.to), { flags: 'wx', mode: 0o600 })
  await once(file, 'open')
  const counts = { records: 0, flawed: 0, unreadable: 0 }
  for (const found of salvaged(directoryOf(asked))) {
    if (found.is === 'unreadable') counts.unreadable += found.to - found.from
    else counts[found.is === 'record' ? 'records' : 'flawed'] += 1
    if (!file.write(`${JSON.stringify(found)}\n`)) await once(file, 'drain')
    if (counts.records % 10_000 === 0) terminal.show(manyText(counts.records, 'record'))
  }
  file.end()
  await finished(file)
  terminal.show('')
  const isWhole = counts.flawed + counts.unreadable === 0
  if (flags.json) terminal.print(JSON.stringify({ file: flags.to, ...counts }))
  else
    terminal.print(
      `${manyText(counts.records, 'record')} saved, ${counts.flawed} that are not what was ` +
        `written, ${counts.unreadable} that cannot be read.`,
    )
  return isWhole ? EXITS.fine.code : EXITS.wrong.code
}
