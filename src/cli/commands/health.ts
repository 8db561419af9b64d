import { slowText } from '../../engine/budget.ts'
import type { HealthReport } from '../../engine/health.ts'
import type { Command } from '../command.ts'
import { reach } from '../data.ts'
import { EXITS } from '../exits.ts'

const STYLES = { well: 'green', paused: 'yellow', degraded: 'red', failing: 'red' } as const

export const health: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await reach(asked)
  const report = (await system.run('health')) as HealthReport
  const { is, ack, paused, groups, alarms, slowRules, refolds } = report
  const { isRunning } = system
  if (flags.json) terminal.print(JSON.stringify({ ...report, isRunning }))
  else {
    terminal.print(`${terminal.paint(STYLES[is], is)}: ${textOf(report)}`)
    terminal.print(`Ack level: ${ack}.`)
    if (!isRunning) terminal.print('Not running.')
    if (is !== 'paused' && paused.length > 0) terminal.print(`Paused: ${paused.join(', ')}.`)
    for (const rule of slowRules) terminal.print(`Slow: ${slowText(rule)}.`)
    for (const { entity, states, unchanged } of refolds)
      terminal.print(`Folded again: ${states} states of ${entity}, ${unchanged} of them unchanged.`)
    const idle = groups.filter(({ isStandingBy }) => isStandingBy).map(({ group }) => group)
    if (idle.length > 0) terminal.print(`Standby for: ${idle.join(', ')}.`)
    // Slow rules are listed above.
    for (const { message } of alarms.filter(({ kind }) => kind !== 'slow-rule'))
      terminal.print(`${terminal.paint('yellow', 'Alarm')}: ${message}.`)
    if (alarms.some(({ kind }) => kind === 'held-keys'))
      terminal.print('List the held keys with: throughline held')
  }
  // For monitoring, a system that does not run is a failure.
  const isWell = is === 'well' || is === 'paused'
  return isWell && isRunning ? EXITS.fine.code : EXITS.wrong.code
}

/** Alarms are printed on lines of their own, so a degraded system only counts them. */
function textOf({ is, detail, paused, alarms }: HealthReport): string {
  if (is === 'degraded') return `${alarms.length} alarm${alarms.length === 1 ? '' : 's'}`
  return is === 'paused' ? paused.join(', ') : detail
}
