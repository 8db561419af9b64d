// The statuses of events: legal paths, and exactly the attempts that the seed demands.
import { isStatusChange } from '../../../src/ports/status.ts'
import { outcomeOf } from './failure-plan.ts'
import type { UnitStatus } from './order-history.ts'
import type { OrderCheck } from './order-watch.ts'
import { ATTEMPTS_MAX } from './order-scenario.ts'
import type { Delivered, LineOf, World } from './order-world.ts'
import { textOf } from './order-world.ts'

/** The status changes of a unit, with their events. */
function changesIn(
  { events }: World,
  { statuses }: LineOf<'unit'>,
  visit: (change: UnitStatus, event: Delivered) => void,
): void {
  for (const change of statuses) {
    const event = events.get(`${change.consumer} ${change.id}`)
    if (event) visit(change, event)
  }
}

/** The events that a unit completes. */
function completedIn({ byEntry }: World, { effects }: LineOf<'unit'>): Set<Delivered> {
  const completed = new Set<Delivered>()
  for (const { consumer, key, entries } of effects)
    for (const entry of entries) {
      const event = byEntry.get(textOf({ consumer, key, entry }))
      if (event) completed.add(event)
    }
  return completed
}

const PATHS: OrderCheck = {
  name: 'every status path is legal',
  watch: (world, report) => ({
    onUnit(unit) {
      const completed = completedIn(world, unit)
      changesIn(world, unit, ({ from, to, isDiscarded }, event) => {
        const step = `${textOf(event)}: ${from} to ${to}`
        if (from !== event.status) report(`${step}, but it was ${event.status}`)
        if (!isStatusChange(from, to)) report(`${step} is not allowed`)
        if (event.isDiscarded) report(`${step} after it was discarded`)
        if (isDiscarded && to !== 'FAILED') report(`${step} is discarded`)
        if ((to === 'COMPLETED') !== completed.has(event))
          report(`${step} ${to === 'COMPLETED' ? 'without' : 'with'} its effect`)
        completed.delete(event)
      })
      for (const event of completed)
        if (event.isRecorded) report(`${textOf(event)} takes effect and stays ${event.status}`)
    },
    onEnd() {
      for (const { consumer, eventId, status, attempts } of world.state.statuses) {
        const event = world.events.get(`${consumer} ${eventId}`)
        if (!event) continue
        if (event.status !== status || event.attempts !== attempts)
          report(
            `${textOf(event)} is ${event.status} after ${event.attempts} attempts, and stored as ${status} after ${attempts}`,
          )
      }
    },
  }),
}

const ATTEMPTS: OrderCheck = {
  name: 'the attempts are those of the seed',
  watch: (world, report) => ({
    onUnit(unit) {
      for (const event of completedIn(world, unit))
        if (outcomeOf(event.plan, event) !== 'ok')
          report(`${textOf(event)} is completed after ${event.attempts} failed attempts`)
      changesIn(world, unit, (change, event) => {
        const { from, to, attempts, isDiscarded } = change
        const expected = attemptsAfter(change, event)
        const step = `${textOf(event)}: ${from} to ${to}`
        if (attempts !== expected) report(`${step} with ${attempts} attempts, not ${expected}`)
        if (to === 'ERROR' && outcomeOf(event.plan, event) === 'ok')
          report(`${step} although it succeeds`)
        if (from === 'ERROR' && !isDiscarded && to !== afterError(event))
          report(`${step} after ${event.attempts} attempts`)
      })
    },
  }),
}

function attemptsAfter({ from, to }: UnitStatus, { attempts }: Delivered): number {
  if (to === 'ERROR') return attempts + 1
  return from === 'FAILED' && to === 'UNPROCESSED' ? 0 : attempts
}

/** What must follow an error. */
function afterError({ plan, attempts, redrives }: Delivered): 'RETRY' | 'FAILED' {
  const outcome = outcomeOf(plan, { attempts: attempts - 1, redrives })
  return outcome === 'final' || attempts >= ATTEMPTS_MAX ? 'FAILED' : 'RETRY'
}

export const STATUS_CHECKS: readonly OrderCheck[] = [PATHS, ATTEMPTS]
