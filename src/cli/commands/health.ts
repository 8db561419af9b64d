import { slowText } from '../../engine/budget.ts'
import type { HealthReport } from '../../engine/health.ts'
import type { Command } from '../command.ts'
import { reach } from '../data.ts'
import { EXITS } from '../exits.ts'

const STYLES = { well: 'green', paused: 'yellow', failing: 'red' } as const

export const health: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await reach(asked)
  const report = (await system.run('health')) as HealthReport
  const { is, ack, detail, paused, groups, alarms, slowRules } = report
  const { isRunning } = system
  if (flags.json) terminal.print(JSON.stringify({ ...report, isRunning }))
  else {
    const what = is === 'paused' ? paused.join(', ') : detail
    terminal.print(`${terminal.paint(STYLES[is], is)}: ${what}`)
    terminal.print(`An ack means: ${ack}.`)
    if (is === 'failing' && paused.length > 0) terminal.print(`Paused: ${paused.join(', ')}.`)
    for (const rule of slowRules) terminal.print(`Slow: ${slowText(rule)}.`)
    if (is === 'paused' && !isRunning) terminal.print('nobody runs it')
    const idle = groups.filter(({ isStandingBy }) => isStandingBy).map(({ group }) => group)
    if (idle.length > 0) terminal.print(`Standing by for: ${idle.join(', ')}.`)
    for (const alarm of alarms) terminal.print(`${terminal.paint('yellow', 'Alarm')}: ${alarm}.`)
  }
  // Whoever watches a system wants to hear that it is gone.
  return is === 'failing' || !isRunning ? EXITS.wrong.code : EXITS.fine.code
}
