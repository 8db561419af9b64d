import type { AcceptedDamage, RepairResult } from '../../../backends/embedded/index.ts'
import { repair as repairData } from '../../../backends/embedded/index.ts'
import { damageText } from '../../../ports/damage.ts'
import { systemClock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import { dataDirectory } from '../../shared/open-system.ts'
import { EXIT_CODES } from '../../terminal/exit-codes.ts'
import { countText } from '../../terminal/format.ts'
import { printable } from '../../../base/text/printable.ts'

export const repair: Command = async (asked) => {
  const { terminal, flags } = asked
  const repaired = await repairData(dataDirectory(asked), systemClock(), {
    accept: acceptedLosses(asked),
    isMarkLost: flags.resetHighWater === true,
  })
  const isSound = repaired.pages.length === 0 && repaired.losses.every((each) => each.isAccepted)
  if (flags.json) terminal.print(JSON.stringify({ isSound, ...repaired }))
  else print(asked, repaired, isSound)
  return isSound ? EXIT_CODES.ok.code : EXIT_CODES.failed.code
}

/** @throws Fault `OPTION_INVALID` */
function acceptedLosses({ flags }: Invocation): readonly AcceptedDamage[] {
  return (flags.accept ?? []).map((text) => {
    if (text === 'all') return 'all'
    const [, topic, partition] = /^(.+)\/(\d{1,6})$/.exec(text) ?? []
    if (topic !== undefined) return { topic, partition: Number(partition) }
    const message = `must be TOPIC/PARTITION or all, not ${text}`
    throw new Fault('OPTION_INVALID', {
      detail: 'repair',
      issues: [{ path: 'accept', message }],
    })
  })
}

function print(
  { terminal }: Invocation,
  { losses, pages, mark }: RepairResult,
  isSound: boolean,
): void {
  const verdict = isSound ? terminal.paint('green', 'Sound') : terminal.paint('red', 'Damaged')
  terminal.print(
    `${verdict}: ${losses.length === 1 ? '1 loss is' : `${countText(losses.length)} losses are`} known.`,
  )
  if (mark !== undefined) terminal.print(`  A new high-water mark was written: ${mark}.`)
  for (const loss of losses) {
    const { topic, partition, isAccepted } = loss
    const place = topic === undefined ? 'units' : `${topic}/${partition}`
    const what = damageText(loss)
    terminal.print(`  ${printable(place)}: ${printable(what)}${isAccepted ? ', accepted' : ''}`)
  }
  for (const line of pages) terminal.print(`  ${printable(line)}`)
  if (!isSound)
    terminal.notice(
      'Restore a backup, or let consumers skip the loss: throughline repair --accept TOPIC/PARTITION',
    )
}
