import type { Catalog } from '../../../engine/plan/index.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { tableText } from '../../terminal/table.ts'

const SERVICE_COLUMNS = [{ title: 'service' }, { title: 'owns' }, { title: 'writes to' }]
const RULE_COLUMNS = [{ title: 'rule' }, { title: 'kind' }, { title: 'reads' }]

export const describe: Command = async (asked) => {
  const { terminal, flags } = asked
  const { paint, print } = terminal
  await using system = await openSystem(asked)
  const catalog = (await system.run('describe')) as Catalog
  if (flags.json) {
    print(JSON.stringify(catalog))
    return 0
  }
  const { services } = catalog
  const rows = services.map(({ name, owns, writes }) => [name, listed(owns), listed(writes)])
  const rules = services.flatMap(({ name, rules: own }) =>
    own.map((rule) => [`${name}/${rule.name}`, rule.is, listed(rule.reads)]),
  )
  print(tableText(SERVICE_COLUMNS, rows, paint))
  print('')
  print(tableText(RULE_COLUMNS, rules, paint))
  return 0
}

const listed = (names: readonly string[]): string => names.join(', ') || '-'
