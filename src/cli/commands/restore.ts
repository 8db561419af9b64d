import { resolve } from 'node:path'
import { restore as restoreData } from '../../backends/embedded/index.ts'
import type { Command } from '../command.ts'
import { directoryOf } from '../data.ts'
import { bytesText, manyText, timeText } from '../figures.ts'
import { copied } from './backup.ts'

export const restore: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [backup = ''] = args
  const from = resolve(terminal.cwd, backup)
  const directory = directoryOf(asked)
  const restored = await restoreData({ from, directory, tell: copied(terminal) })
  terminal.show('')
  if (flags.json) terminal.print(JSON.stringify({ directory, ...restored }))
  else {
    const { at, bytes, ends, missing } = restored
    const records = ends.reduce((sum, { first, next }) => sum + next - first, 0)
    const content = `${manyText(records, 'record')}, ${bytesText(bytes)}`
    terminal.print(`Restored ${content}, as of ${timeText(at)}, to ${flags.data}.`)
    for (const file of missing) terminal.print(`An archive file is missing: ${file}`)
  }
  return 0
}
