import type { VerifyResult } from '../../../control/verify.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { barText, countText, manyText } from '../../terminal/format.ts'
import { printable } from '../../../base/text/printable.ts'

const BAR_WIDTH = 30

export const verify: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const verified = (await system.run('verify', {}, ({ done, total }) => {
    const counted = `${countText(done)} of ${manyText(total, 'record')}`
    terminal.progress(`${barText(done, total, BAR_WIDTH)}  ${counted}`)
  })) as VerifyResult
  terminal.progress('')
  const { isSound, topics, records, rows, consumers, issues } = verified
  if (flags.json) terminal.print(JSON.stringify(verified))
  else {
    const read = [
      `${manyText(records, 'record')} in ${manyText(topics, 'topic')}`,
      manyText(rows, 'row'),
      manyText(consumers, 'consumer'),
    ]
    const verdict = isSound ? terminal.paint('green', 'Sound') : terminal.paint('red', 'Not sound')
    terminal.print(`${verdict}: read ${read[0]}, ${read[1]} and ${read[2]}.`)
    for (const { path, message } of issues)
      terminal.print(`  ${printable(path)}: ${printable(message)}`)
  }
  return isSound ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
}
