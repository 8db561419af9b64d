import { compareText } from '../../base/text.ts'
import type { Overview } from '../../control/views.ts'
import type { Command } from '../command.ts'
import { reach } from '../data.ts'
import { countText } from '../figures.ts'
import { tableText } from '../table.ts'

const COLUMNS = [
  { title: 'topic' },
  { title: 'carries' },
  { title: 'partitions', isNumber: true },
  { title: 'appended', isNumber: true },
  { title: 'retained', isNumber: true },
]

export const topics: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await reach(asked)
  const { topics: views } = (await system.run('overview')) as Overview
  if (flags.json) terminal.print(JSON.stringify(views))
  else {
    const byName = views.toSorted((one, other) => compareText(one.name, other.name))
    const rows = byName.map(({ name, carries, partitions, appended, held }) => [
      name,
      carries,
      ...[partitions, appended, held].map(countText),
    ])
    terminal.print(tableText(COLUMNS, rows, terminal.paint))
  }
  return 0
}
