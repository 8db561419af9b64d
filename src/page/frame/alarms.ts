// Where each sort of alarm leads, and in which order they are shown.
import type { Alarm, Overview } from '../../admin/wire.ts'
import type { Filter, ListName } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'
import { pendingIn } from './headline.ts'

interface AlarmSort {
  /** The words of its link. */
  readonly text: string
  readonly place: (alarm: Alarm) => string
}

const list = (name: ListName, filter: Filter = {}): string =>
  fragmentOf({ is: 'list', name, filter })

/** A consumer is `<service>/<rule>`, a group the service or one of its handlers. */
const service = ({ consumer, examples: [group = ''] }: Alarm): string =>
  fragmentOf({ is: 'service', name: (consumer ?? group).split('/')[0] ?? '' })

export const ALARMS: Readonly<Record<Alarm['kind'], AlarmSort>> = {
  'changed-projection': { text: 'See the service', place: service },
  'clock-step': { text: 'See the timers', place: () => list('timers') },
  'failed-rebuild': { text: 'See the service', place: service },
  'held-keys': {
    text: 'See what is held',
    place: ({ consumer }) => list('held', consumer === undefined ? {} : { consumer }),
  },
  lag: { text: 'See the service', place: service },
  'lost-records': { text: 'See the service', place: service },
  'old-sagas': { text: 'See what they wait for', place: () => list('sagas') },
  'overdue-timers': { text: 'See the timers', place: () => list('timers') },
  'pending-operations': {
    text: 'See what they wait for',
    place: () => list('operations', { state: 'pending' }),
  },
  'slow-rule': {
    text: 'See the slowest event',
    place: ({ examples: [id] }) => (id === undefined ? '#/' : fragmentOf({ is: 'event', id })),
  },
  'slow-units': { text: 'See the service', place: service },
}

/** The degrading ones first. What is held and no alarm yet is one all the same. */
export function alarmsOf(overview: Overview): readonly Alarm[] {
  const { alarms } = overview.health
  const pending = pendingIn(overview)
  const isKnown = pending === 0 || alarms.some(({ kind }) => kind === 'held-keys')
  const held: Alarm = {
    kind: 'held-keys',
    isDegrading: true,
    message: `${pending} ${pending === 1 ? 'event waits' : 'events wait'} behind a fault`,
    count: pending,
    examples: [],
    threshold: {},
  }
  const all = isKnown ? alarms : [held, ...alarms]
  return all.toSorted((a, b) => Number(b.isDegrading) - Number(a.isDegrading))
}
