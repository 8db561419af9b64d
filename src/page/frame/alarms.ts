// The link of each kind of alarm, and the order of the alarms.
import type { Alarm, Overview } from '../../admin/wire.ts'
import type { Filter, ListName } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'
import { pendingEvents } from './headline.ts'

interface AlarmLink {
  /** The text of the link. */
  readonly text: string
  readonly href: (alarm: Alarm) => string
}

const list = (name: ListName, filter: Filter = {}): string =>
  fragmentOf({ kind: 'list', name, filter })

/** A consumer is `<service>/<rule>`, a group the service or one of its handlers. */
const service = ({ consumer, examples: [group = ''] }: Alarm): string =>
  fragmentOf({ kind: 'service', name: (consumer ?? group).split('/')[0] ?? '' })

export const ALARM_LINKS: Readonly<Record<Alarm['kind'], AlarmLink>> = {
  'changed-projection': { text: 'Show the service', href: service },
  'clock-step': { text: 'Show the timers', href: () => list('timers') },
  'dead-letters': {
    text: 'Show the dead letters',
    href: ({ consumer }) => list('dead', consumer === undefined ? {} : { consumer }),
  },
  'failed-rebuild': { text: 'Show the service', href: service },
  'held-keys': {
    text: 'Show the held keys',
    href: ({ consumer }) => list('held', consumer === undefined ? {} : { consumer }),
  },
  lag: { text: 'Show the service', href: service },
  'lost-records': { text: 'Show the service', href: service },
  'old-sagas': { text: 'Show the open sagas', href: () => list('sagas') },
  'overdue-timers': { text: 'Show the timers', href: () => list('timers') },
  'pending-operations': {
    text: 'Show the pending operations',
    href: () => list('operations', { state: 'pending' }),
  },
  'slow-rule': {
    text: 'Show the slowest event',
    href: ({ examples: [id] }) => (id === undefined ? '#/' : fragmentOf({ kind: 'event', id })),
  },
  'slow-units': { text: 'Show the service', href: service },
}

/** All alarms, degrading ones first. Held events count as an alarm before the engine raises one. */
export function alarmsOf(overview: Overview): readonly Alarm[] {
  const { alarms } = overview.health
  const pending = pendingEvents(overview)
  const isKnown =
    pending === 0 || alarms.some(({ kind }) => kind === 'held-keys' || kind === 'dead-letters')
  const held: Alarm = {
    kind: 'held-keys',
    isDegrading: true,
    message: `${pending} ${pending === 1 ? 'event is' : 'events are'} held`,
    count: pending,
    examples: [],
    threshold: {},
  }
  const all = isKnown ? alarms : [held, ...alarms]
  return all.toSorted((a, b) => Number(b.isDegrading) - Number(a.isDegrading))
}
