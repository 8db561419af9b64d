import { slowRuleText } from '../../../engine/context/index.ts'
import type { HealthReport } from '../../../engine/operations/index.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'

const STYLES = { well: 'green', paused: 'yellow', degraded: 'red', failing: 'red' } as const

export const health: Command = async (asked) => {
  const { terminal, flags } = asked
  await using system = await openSystem(asked)
  const report = (await system.run('health')) as HealthReport
  const { status, ack, paused, groups, alarms, slowRules, refolds } = report
  const { isRunning } = system
  if (flags.json) terminal.print(JSON.stringify({ ...report, isRunning }))
  else {
    terminal.print(`${terminal.paint(STYLES[status], status)}: ${textOf(report)}`)
    terminal.print(`Ack level: ${ack}.`)
    if (!isRunning) terminal.print('Not running.')
    if (status !== 'paused' && paused.length > 0) terminal.print(`Paused: ${paused.join(', ')}.`)
    for (const rule of slowRules) terminal.print(`Slow: ${slowRuleText(rule)}.`)
    for (const { entity, states, unchanged } of refolds)
      terminal.print(`Folded again: ${states} states of ${entity}, ${unchanged} of them unchanged.`)
    const idle = groups.filter(({ isStandby }) => isStandby).map(({ group }) => group)
    if (idle.length > 0) terminal.print(`Standby for: ${idle.join(', ')}.`)
    // Slow rules are listed above.
    for (const { message } of alarms.filter(({ kind }) => kind !== 'slow-rule'))
      terminal.print(`${terminal.paint('yellow', 'Alarm')}: ${message}.`)
    if (alarms.some(({ kind }) => kind === 'held-keys'))
      terminal.print('List the held keys with: throughline held')
    if (alarms.some(({ kind }) => kind === 'dead-letters'))
      terminal.print('List the dead letters with: throughline dead')
  }
  // For monitoring, a system that does not run is a failure.
  const isWell = status === 'well' || status === 'paused'
  return isWell && isRunning ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
}

/** Alarms are printed on lines of their own, so a degraded system only counts them. */
function textOf({ status, detail, paused, alarms }: HealthReport): string {
  if (status === 'degraded') return `${alarms.length} alarm${alarms.length === 1 ? '' : 's'}`
  return status === 'paused' ? paused.join(', ') : detail
}
