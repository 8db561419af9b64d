import { resolve } from 'node:path'
import type { BackedUp, Tell } from '../../ports/keeping.ts'
import type { Command } from '../command.ts'
import { reach } from '../data.ts'
import { barText, bytesText, manyText, quoted, timeText } from '../figures.ts'
import type { Terminal } from '../terminal.ts'

export const backup: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [directory = ''] = args
  await using system = await reach(asked)
  const to = resolve(terminal.cwd, directory)
  const backedUp = (await system.run('backup', { to }, copied(terminal))) as BackedUp
  terminal.show('')
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
export function copied(terminal: Terminal): Tell {
  return ({ done, total }) => {
    const text = `${bytesText(done)} of ${bytesText(total)}`
    terminal.show(`${barText(done, total, BAR_WIDTH)}  ${text}`)
  }
}
