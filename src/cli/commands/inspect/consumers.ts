import { Fault } from '../../../base/errors/fault.ts'
import type { Overview, RuleView } from '../../../control/views.ts'
import type { RewoundPartition } from '../../../engine/operations/index.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import { openForWriting, openSystem, writeArguments } from '../../shared/open-system.ts'
import { countText, durationText } from '../../terminal/format.ts'
import { tableText } from '../../terminal/table.ts'

/** A consumer: one rule of a service. */
interface ConsumerView {
  readonly service: string
  readonly isPaused: boolean
  readonly rule: string
  readonly kind: RuleView['kind']
  readonly accepted: number
  readonly completed: number
  readonly pending: number
  readonly dead: number
  readonly discarded: number
  /** Records that retention removed before the rule read them. */
  readonly expired: number
  readonly lag: number
  /** The age of the oldest record that the service has not read; 0 if it has read all. */
  readonly ageMs: number
}

const COLUMNS = [
  { title: 'service' },
  { title: 'rule' },
  { title: 'kind' },
  { title: 'accepted', isNumber: true },
  { title: 'completed', isNumber: true },
  { title: 'pending', isNumber: true },
  { title: 'dead', isNumber: true },
  { title: 'discarded', isNumber: true },
  { title: 'expired', isNumber: true },
  { title: 'lag', isNumber: true },
  { title: 'age', isNumber: true },
]

export const consumers: Command = async (asked) => {
  const { terminal, args, flags } = asked
  if (args[0] === 'rewind') return rewindConsumer(asked)
  if (args[0] !== undefined) {
    const issues = [{ path: args[0], message: 'is not an action: the only one is rewind' }]
    throw new Fault('OPTION_INVALID', { detail: 'consumers', issues })
  }
  await using system = await openSystem(asked)
  const views = consumersOf((await system.run('overview')) as Overview)
  if (flags.json) terminal.print(JSON.stringify(views))
  else terminal.print(tableText(COLUMNS, views.map(rowOf), terminal.paint))
  return 0
}

async function rewindConsumer(asked: Invocation): Promise<number> {
  const { terminal, args, flags } = asked
  const { to, topic, partition } = flags
  const [, consumer] = args
  await using system = await openForWriting(asked)
  const rewound = (await system.run('rewind', {
    ...(consumer === undefined ? {} : { consumer }),
    ...(to === undefined ? {} : { to }),
    ...(topic === undefined ? {} : { topic }),
    ...(partition === undefined ? {} : { partition }),
    ...writeArguments(flags),
  })) as readonly RewoundPartition[]
  if (flags.json) terminal.print(JSON.stringify(rewound))
  else terminal.print(tableText(REWOUND_COLUMNS, rewound.map(rewoundRow), terminal.paint))
  return 0
}

const REWOUND_COLUMNS = [
  { title: 'topic' },
  { title: 'partition', isNumber: true },
  { title: 'from', isNumber: true },
  { title: 'next', isNumber: true },
]

const rewoundRow = ({ topic, partition, from, next }: RewoundPartition): readonly string[] => {
  return [topic, ...[partition, from, next].map(countText)]
}

function consumersOf({ services }: Overview): readonly ConsumerView[] {
  return services.flatMap(({ name: service, isPaused, ageMs: age, rules }) =>
    rules.map(({ name: rule, ...counts }) => {
      const ageMs = counts.lag > 0 ? age : 0
      return { service, isPaused, rule, ...counts, ageMs }
    }),
  )
}

function rowOf(view: ConsumerView): readonly string[] {
  const { service, isPaused, rule, kind, ageMs } = view
  const { accepted, completed, pending, dead, discarded, expired, lag } = view
  return [
    isPaused ? `${service} (paused)` : service,
    rule,
    kind,
    ...[accepted, completed, pending, dead, discarded, expired, lag].map(countText),
    durationText(ageMs),
  ]
}
