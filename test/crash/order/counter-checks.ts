// The counters: they add up in every sample, and count what happened.
import type { Progress } from '../../../src/ports/event-store.ts'
import type { OrderCheck } from './order-watch.ts'
import type { Reader, World } from './order-world.ts'
import { readerName } from './order-world.ts'

type Counts = Pick<
  Progress,
  'accepted' | 'completed' | 'dead' | 'discarded' | 'expired' | 'pending'
>

const sumText = ({ completed, dead, discarded, expired, pending }: Counts): string =>
  `${completed} + ${dead} + ${discarded} + ${expired} + ${pending}`

const CONSERVATION: OrderCheck = {
  name: 'accepted = completed + dead + discarded + expired + pending',
  watch: ({ state }, report) => {
    const check = (progress: readonly Progress[]): void => {
      for (const each of progress) {
        const { accepted, completed, dead, discarded, expired, pending } = each
        const sum = completed + dead + discarded + expired + pending
        const isNegative = Math.min(accepted, completed, dead, discarded, expired, pending) < 0
        if (accepted !== sum || isNegative)
          report(`${readerName(each)}: ${accepted} is not ${sumText(each)}`)
      }
    }
    return { onSample: ({ progress }) => check(progress), onEnd: () => check(state.progress) }
  },
}

/** What the counters must be, by what happened to the events. */
function countsOf({ events, passed, expired }: Reader): Counts {
  let [completed, dead, discarded, pending] = [0, 0, 0, 0]
  for (const { isCompleted, isDiscarded, status } of events.slice(0, passed))
    if (isDiscarded) discarded += 1
    else if (isCompleted) completed += 1
    else if (status === 'FAILED') dead += 1
    else pending += 1
  return { accepted: passed + expired, completed, dead, discarded, expired, pending }
}

const EXACT: OrderCheck = {
  name: 'the counters count what happened',
  watch: (world, report) => {
    const check = (progress: readonly Progress[]): void => {
      for (const stored of progress) {
        const reader = world.readers.get(readerName(stored))
        if (!reader) continue
        const counts = countsOf(reader)
        const wrong = differences(stored, counts)
        if (wrong !== '') report(`${readerName(stored)}: ${wrong}`)
      }
    }
    return {
      onSample: ({ progress, isQuiet }) => void (isQuiet && check(progress)),
      onEnd: () => check(world.state.progress),
    }
  },
}

function differences(stored: Counts, counts: Counts): string {
  return (Object.keys(counts) as (keyof Counts)[])
    .filter((name) => stored[name] !== counts[name])
    .map((name) => `${name} is ${stored[name]}, and ${counts[name]} events are`)
    .join(', ')
}

const UNIT_COUNTS: OrderCheck = {
  name: 'the counters of the units add up to those of the store',
  watch: (world: World, report) => ({
    onSample({ progress, isQuiet }) {
      if (!isQuiet) return
      for (const stored of progress) {
        const reader = world.readers.get(readerName(stored))
        if (!reader) continue
        const wrong = differences(stored, {
          accepted: reader.accepted,
          completed: reader.completed,
          dead: reader.dead,
          discarded: reader.discarded,
          expired: reader.expired,
          pending: reader.pending,
        })
        if (wrong !== '') report(`${readerName(stored)}: ${wrong}`)
      }
    },
  }),
}

export const COUNTER_CHECKS: readonly OrderCheck[] = [CONSERVATION, EXACT, UNIT_COUNTS]
