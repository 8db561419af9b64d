import { resolve } from 'node:path'
import type { BackupSummary, ReportProgress } from '../../../ports/backup-and-archive.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem, writeArguments } from '../../shared/open-system.ts'
import { barText, bytesText, manyText, quoted, timeText } from '../../terminal/format.ts'
import type { Terminal } from '../../terminal/terminal.ts'

export const backup: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [directory = ''] = args
  await using system = await openSystem(asked)
  const to = resolve(terminal.cwd, directory)
  const given = { to, ...writeArguments(flags) }
  const backedUp = (await system.run('backup', given, showProgress(terminal))) as BackupSummary
  terminal.progress('')
  if (flags.json) terminal.print(JSON.stringify({ directory: to, ...backedUp }))
  else {
    const records = backedUp.ends.reduce((sum, { first, next }) => sum + next - first, 0)
    const content = `${manyText(records, 'record')}, ${bytesText(backedUp.bytes)}`
    terminal.print(`Backed up ${content}, as of ${timeText(backedUp.at)}, to ${directory}.`)
    terminal.print(`Restore it with: throughline restore ${quoted(directory)} --data DIRECTORY`)
  }
  return 0
}

const BAR_WIDTH = 30

/** Shows the progress of a copy. */
export function showProgress(terminal: Terminal): ReportProgress {
  return ({ done, total }) => {
    const text = `${bytesText(done)} of ${bytesText(total)}`
    terminal.progress(`${barText(done, total, BAR_WIDTH)}  ${text}`)
  }
}
