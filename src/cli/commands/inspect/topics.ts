import { compareText } from '../../../base/text/compare-text.ts'
import type { Overview } from '../../../control/views.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { countText } from '../../terminal/format.ts'
import { tableText } from '../../terminal/table.ts'

const COLUMNS = [
  { title: 'topic' },
  { title: 'carries' },
  { title: 'partitions', isNumber: true },
  { title: 'appended', isNumber: true },
  { title: 'retained', isNumber: true },
]

export const topics: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const { topics: views } = (await system.run('overview')) as Overview
  if (flags.json) terminal.print(JSON.stringify(views))
  else {
    const byName = views.toSorted((one, other) => compareText(one.name, other.name))
    const rows = byName.map(({ name, carries, partitions, appended, retained }) => [
      name,
      carries,
      ...[partitions, appended, retained].map(countText),
    ])
    terminal.print(tableText(COLUMNS, rows, terminal.paint))
  }
  return 0
}
