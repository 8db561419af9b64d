// Where each sort of alarm leads, and whether something waits that should not.
import type { Alarm } from '../../admin/wire.ts'
import type { Filter, ListName } from '../route/route.ts'
import { fragmentOf } from '../route/route.ts'

interface AlarmSort {
  readonly isPressing: boolean
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
  'clock-step': { isPressing: false, text: 'See the timers', place: () => list('timers') },
  'failed-rebuild': { isPressing: true, text: 'See the service', place: service },
  'held-keys': {
    isPressing: true,
    text: 'See what is held',
    place: ({ consumer }) => list('held', consumer === undefined ? {} : { consumer }),
  },
  lag: { isPressing: true, text: 'See the service', place: service },
  'lost-records': { isPressing: false, text: 'See the service', place: service },
  'old-sagas': { isPressing: true, text: 'See what they wait for', place: () => list('sagas') },
  'overdue-timers': { isPressing: true, text: 'See the timers', place: () => list('timers') },
  'pending-operations': {
    isPressing: true,
    text: 'See what they wait for',
    place: () => list('operations', { state: 'pending' }),
  },
  'slow-rule': {
    isPressing: false,
    text: 'See the slowest event',
    place: ({ examples: [id] }) => (id === undefined ? '#/' : fragmentOf({ is: 'event', id })),
  },
  'slow-units': { isPressing: false, text: 'See the service', place: service },
}
