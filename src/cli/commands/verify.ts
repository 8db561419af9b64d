import type { Verified } from '../../control/verify.ts'
import type { Command } from '../command.ts'
import { reach } from '../data.ts'
import { EXITS } from '../exits.ts'
import { barText, countText, manyText } from '../figures.ts'
import { printable } from '../../base/printable.ts'

const BAR_WIDTH = 30

export const verify: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await reach(asked)
  const verified = (await system.run('verify', {}, ({ done, total }) => {
    const counted = `${countText(done)} of ${manyText(total, 'record')}`
    terminal.show(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  })) as Verified
  terminal.show('')
  const { isSound, topics, records, rows, consumers, complaints } = verified
  if (flags.json) terminal.print(JSON.stringify(verified))
  else {
    const read = [
      `${manyText(records, 'record')} in ${manyText(topics, 'topic')}`,
      manyText(rows, 'row'),
      manyText(consumers, 'consumer'),
    ]
    const verdict = isSound ? terminal.paint('green', 'Sound') : terminal.paint('red', 'Not sound')
    terminal.print(`${verdict}: read ${read[0]}, ${read[1]} and ${read[2]}.`)
    for (const { path, message } of complaints)
      terminal.print(`  ${printable(path)}: ${printable(message)}`)
  }
  return isSound ? EXITS.fine.code : EXITS.wrong.code
}
