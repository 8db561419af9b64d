import type { Account, ConsumerAccount } from '../../../control/views.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { countText } from '../../terminal/format.ts'
import { tableText } from '../../terminal/table.ts'

const COUNTERS = ['accepted', 'completed', 'dead', 'discarded', 'expired', 'pending'] as const
const COLUMNS = [
  { title: 'consumer' },
  ...COUNTERS.map((title) => ({ title, isNumber: true })),
  { title: 'balances' },
]

export const account: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const { balances, consumers } = (await system.run('account')) as Account
  if (flags.json) terminal.print(JSON.stringify({ balances, consumers }))
  else {
    terminal.print(tableText(COLUMNS, consumers.map(rowOf), terminal.paint))
    if (!balances)
      terminal.notice('accepted is not completed + dead + discarded + expired + pending.')
  }
  return balances ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
}

const rowOf = (each: ConsumerAccount): readonly string[] => [
  each.consumer,
  ...COUNTERS.map((name) => countText(each[name])),
  each.balances ? 'yes' : 'no',
]
