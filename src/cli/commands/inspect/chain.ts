import { systemClock } from '../../../base/time/clock.ts'
import type { ChainEvent, ChainView, EventAtConsumer, HeldKey } from '../../../control/views.ts'
import type { Command } from '../../shared/command.ts'
import { openSystem } from '../../shared/open-system.ts'
import { durationText } from '../../terminal/format.ts'
import { nextAttemptText, oneLine, sourceText, waitsForText } from '../../shared/listing.ts'
import { printable } from '../../../base/text/printable.ts'
import { tableText } from '../../terminal/table.ts'

const COLUMNS = [
  { title: 'message' },
  { title: 'after', isNumber: true },
  { title: 'from' },
  { title: 'key', widthMax: 40 },
  { title: 'place' },
  { title: 'id', widthMax: 40 },
  { title: 'status' },
]

export const chain: Command = async (asked) => {
  const { terminal, args, flags } = asked
  const [event = ''] = args
  await using system = await openSystem(asked)
  const view = (await system.run('chain', { event })) as ChainView
  if (flags.json) {
    terminal.print(JSON.stringify(view))
    return 0
  }
  const now = systemClock().now()
  const { isRunning } = system
  const rows = treeOf(view.events).map(({ branch, event: each, afterMs }) => {
    const { type, key, topic, partition, offset, id, consumers = [] } = each
    const from = sourceText(each)
    const after = `+${durationText(afterMs)}`
    const place = `${topic}/${partition}@${offset}`
    return [`${branch}${type}`, after, from, key, place, id, statusText(consumers, now, isRunning)]
  })
  terminal.print(tableText(COLUMNS, rows, terminal.paint))
  terminal.print('')
  terminal.print(outcomeText(view))
  for (const waits of view.waitsFor)
    terminal.print(`Waits for: ${printable(waitsForText(waits, now))}`)
  for (const held of view.held) terminal.print(`Held: ${printable(heldText(held, now, isRunning))}`)
  if (!view.isComplete) terminal.print('Incomplete: the search stopped at its limit of records.')
  return 0
}

/** Consumers with the same status are named together. */
export function statusText(
  consumers: readonly EventAtConsumer[],
  now: number,
  isRunning: boolean,
): string {
  const texts = Map.groupBy(consumers, ({ status, attempts, dueAt, resolution }) => {
    const attemptsText = attempts === 0 ? [] : [manyAttempts(attempts)]
    const next = dueAt === undefined ? [] : [`next ${nextAttemptText(dueAt, now, isRunning)}`]
    const details = [...(resolution === undefined ? [] : [resolution]), ...attemptsText, ...next]
    return details.length === 0 ? status : `${status} (${details.join(', ')})`
  })
  return [...texts]
    .map(([text, each]) => `${text} at ${each.map(({ consumer }) => consumer).join(', ')}`)
    .join('; ')
}

const manyAttempts = (count: number): string =>
  `${count} failed ${count === 1 ? 'attempt' : 'attempts'}`

function outcomeText({ operation }: ChainView): string {
  if (!operation) return 'Outcome: none, since the chain did not start with a command from outside'
  const { status, reason } = operation
  return reason === undefined ? `Outcome: ${status}` : `Outcome: ${status} (${reason})`
}

export function heldText(held: HeldKey, now: number, isRunning: boolean): string {
  const { consumer, key, event, attempts, nextAttemptAt, error } = held
  const why = error ? `: ${oneLine(error.message)}` : ''
  const next = `next attempt ${nextAttemptText(nextAttemptAt, now, isRunning)}`
  return `${consumer} holds ${key} behind ${event.type} ${event.id}, ${manyAttempts(attempts)}, ${next}${why}`
}

interface TreeRow {
  readonly branch: string
  readonly event: ChainEvent
  /** Time since the first message of the conversation. */
  readonly afterMs: number
}

/** The messages as trees: each below its cause; a message without a known cause is a root. */
export function treeOf(events: readonly ChainEvent[]): readonly TreeRow[] {
  // The events are sorted by time.
  const startedAt = events[0]?.at ?? 0
  const ids = new Set(events.map(({ id }) => id))
  const below = Map.groupBy(events, ({ cause }) =>
    cause !== undefined && ids.has(cause) ? cause : undefined,
  )
  const leaves: TreeRow[] = []
  const grow = (event: ChainEvent, branch: string, indent: string): void => {
    leaves.push({ branch, event, afterMs: event.at - startedAt })
    const following = below.get(event.id) ?? []
    for (const [at, each] of following.entries()) {
      const isLast = at === following.length - 1
      grow(each, `${indent}${isLast ? '└─ ' : '├─ '}`, `${indent}${isLast ? '   ' : '│  '}`)
    }
  }
  for (const root of below.get(undefined) ?? []) grow(root, '', '')
  return leaves
}
