import { resolve } from 'node:path'
import { restore as restoreData } from '../../../backends/embedded/index.ts'
import type { Command } from '../../shared/command.ts'
import { dataDirectory } from '../../shared/open-system.ts'
import { bytesText, manyText, timeText } from '../../terminal/format.ts'
import { showProgress } from './backup.ts'

export const restore: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [backup = ''] = args
  const from = resolve(terminal.cwd, backup)
  const directory = dataDirectory(asked)
  const restored = await restoreData({ from, directory, onProgress: showProgress(terminal) })
  terminal.progress('')
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
