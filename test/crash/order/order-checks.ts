// Replays a history line by line, and asks each check what is wrong.
import type { OrderSize } from './order-batches.ts'
import { COUNTER_CHECKS } from './counter-checks.ts'
import type { HistoryLine } from './order-history.ts'
import type { FinalState } from './order-store.ts'
import type { OrderCheck, OrderWatch } from './order-watch.ts'
import type { Delivered, LineOf, World } from './order-world.ts'
import { applyToWorld, createWorld } from './order-world.ts'
import { SEQUENCE_CHECKS } from './sequence-checks.ts'
import { STATUS_CHECKS } from './status-checks.ts'
import { WAITING_CHECKS } from './waiting-checks.ts'

export interface OrderViolation {
  readonly check: string
  readonly detail: string
}

/** Violations of one check that are reported. */
const REPORTED_MAX = 5

const NOTHING_WRONG: OrderCheck = {
  name: 'nothing unexpected is recorded',
  watch: () => ({}),
}
const KNOWN: OrderCheck = { name: 'rules are called with events of the log', watch: () => ({}) }

export const ORDER_CHECKS: readonly OrderCheck[] = [
  NOTHING_WRONG,
  KNOWN,
  ...SEQUENCE_CHECKS,
  ...STATUS_CHECKS,
  ...COUNTER_CHECKS,
  ...WAITING_CHECKS,
]

/** Everything that is wrong with a run; nothing if it is correct. */
export function findOrderViolations(
  size: OrderSize,
  lines: readonly HistoryLine[],
  state: FinalState,
): readonly OrderViolation[] {
  const world = createWorld(size, state)
  const found = new Map<string, string[]>()
  const reporter = ({ name }: OrderCheck) => {
    const details: string[] = []
    found.set(name, details)
    return (detail: string): void => void (details.length < REPORTED_MAX && details.push(detail))
  }
  const [unexpected, unknown] = [reporter(NOTHING_WRONG), reporter(KNOWN)]
  const watches = ORDER_CHECKS.slice(2).map((check) => check.watch(world, reporter(check)))
  replay(world, lines, watches, { unexpected, unknown })
  if (!lines.some(({ kind }) => kind === 'settled')) unexpected('the run has not settled')
  for (const watch of watches) watch.onEnd?.()
  return [...found].flatMap(([check, details]) => details.map((detail) => ({ check, detail })))
}

interface Reports {
  unexpected(detail: string): void
  unknown(detail: string): void
}

function replay(
  world: World,
  lines: readonly HistoryLine[],
  watches: readonly OrderWatch[],
  reports: Reports,
): void {
  const units = new Map<number, LineOf<'unit'>>()
  for (const line of lines)
    switch (line.kind) {
      case 'start':
        world.instance = line.instance
        for (const watch of watches) watch.onStart?.()
        break
      case 'ack':
        for (const watch of watches) watch.onAck?.(line)
        break
      case 'begin':
      case 'call': {
        const event = world.events.get(`${line.consumer} ${line.id}`)
        if (!event) reports.unknown(`${line.consumer} was called with ${line.id}`)
        else replayCall(world, line, event, watches)
        break
      }
      case 'unit':
        units.set(line.unit, line)
        break
      case 'answer': {
        const unit = units.get(line.unit)
        if (!unit) reports.unexpected(`unit ${line.unit} has an answer and was not tried`)
        else if (line.isCommitted) replayUnit(world, unit, watches)
        units.delete(line.unit)
        break
      }
      case 'sample':
        for (const watch of watches) watch.onSample?.(line)
        break
      case 'wrong':
        reports.unexpected(line.what)
        break
      case 'produce':
      case 'operator':
      case 'settled':
    }
  for (const unit of units.keys()) reports.unexpected(`unit ${unit} has no answer`)
}

function replayCall(
  { instance }: World,
  line: LineOf<'begin'> | LineOf<'call'>,
  event: Delivered,
  watches: readonly OrderWatch[],
): void {
  if (line.kind === 'begin') return watches.forEach((watch) => watch.onBegin?.(line, event))
  for (const watch of watches) watch.onCall?.(line, event)
  event.last = { instance, outcome: line.outcome }
}

function replayUnit(world: World, unit: LineOf<'unit'>, watches: readonly OrderWatch[]): void {
  for (const watch of watches) watch.onUnit?.(unit)
  applyToWorld(world, unit)
  for (const watch of watches) watch.afterUnit?.(unit)
}
