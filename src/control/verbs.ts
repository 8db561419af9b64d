import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { archive } from './archive.ts'
import { backUp } from './backup.ts'
import { storedMessages } from '../engine/compatibility.ts'
import { heldKeys } from '../engine/held-keys.ts'
import { openSagas } from '../engine/open-sagas.ts'
import { operationList } from '../engine/operation-list.ts'
import { LIST_LIMIT } from '../engine/paging.ts'
import { timerList } from '../engine/timer-list.ts'
import { chainOf, newest, readTopic } from './browse.ts'
import { browseTopic, findMessages } from './browse-topic.ts'
import type { RewindTo } from '../engine/rewind.ts'
import { momentsOf } from './moment.ts'
import { overviewOf } from './overview.ts'
import { replay } from './replay.ts'
import type { System } from './system.ts'
import type { Tell } from '../ports/keeping.ts'
import { verify } from './verify.ts'

/** The type and bounds of an argument of a verb; `number` means an integer. */
interface ArgumentSpec {
  readonly is: 'text' | 'number'
  readonly isRequired?: boolean
  readonly min?: number
  readonly max?: number
  readonly initial?: number
}

/** Unvalidated arguments. */
export type Given = Readonly<Record<string, unknown>>
type Taken = Readonly<Record<string, string | number | undefined>>

interface Verb {
  readonly isWrite: boolean
  readonly takes: Readonly<Record<string, ArgumentSpec>>
  run(system: System, taken: Taken, tell: Tell): Promise<unknown>
}

const RECORDS_PER_CHAIN = 1_000_000

/** The arguments of every verb that lists. */
const LISTING = {
  limit: { is: 'number', ...LIST_LIMIT },
  after: { is: 'text' },
} as const satisfies Record<string, ArgumentSpec>

const verbs = {
  overview: { isWrite: false, takes: {}, run: (system) => overviewOf(system) },
  health: { isWrite: false, takes: {}, run: (system) => system.health() },
  describe: { isWrite: false, takes: {}, run: async ({ catalog }) => catalog },
  contracts: { isWrite: false, takes: {}, run: ({ backend }) => storedMessages(backend.store) },
  log: {
    isWrite: false,
    takes: {
      topic: { is: 'text', isRequired: true },
      partition: { is: 'number', min: 0 },
      from: { is: 'number', min: 0 },
      limit: { is: 'number', min: 1, max: 10_000, initial: 20 },
    },
    run: (system, taken) => readTopic(system, taken as never),
  },
  newest: {
    isWrite: false,
    takes: { limit: { is: 'number', min: 1, max: 1_000, initial: 40 } },
    run: (system, { limit }) => newest(system, limit as number),
  },
  browse: {
    isWrite: false,
    takes: {
      topic: { is: 'text', isRequired: true },
      partition: { is: 'number', min: 0 },
      offset: { is: 'number', min: 0 },
      since: { is: 'number', min: 0 },
      until: { is: 'number', min: 0 },
      key: { is: 'text' },
      type: { is: 'text' },
      text: { is: 'text' },
      ...LISTING,
    },
    run: (system, taken) => browseTopic(system, taken as never),
  },
  find: {
    isWrite: false,
    takes: { text: { is: 'text', isRequired: true }, ...LISTING },
    run: (system, taken) => findMessages(system, taken as never),
  },
  chain: {
    isWrite: false,
    takes: {
      event: { is: 'text', isRequired: true },
      records: { is: 'number', min: 1, initial: RECORDS_PER_CHAIN },
    },
    run: (system, { event, records }) => chainOf(system, event as string, records as number),
  },
  held: {
    isWrite: false,
    takes: { consumer: { is: 'text' }, key: { is: 'text' }, ...LISTING },
    run: (system, taken) => heldKeys(system, taken),
  },
  sagas: {
    isWrite: false,
    takes: { saga: { is: 'text' }, operation: { is: 'text' }, ...LISTING },
    run: (system, taken) => openSagas(system, taken),
  },
  operations: {
    isWrite: false,
    takes: {
      state: { is: 'text' },
      key: { is: 'text' },
      type: { is: 'text' },
      since: { is: 'number', min: 0 },
      until: { is: 'number', min: 0 },
      ...LISTING,
    },
    run: (system, taken) => operationList(system, taken),
  },
  timers: {
    isWrite: false,
    takes: { saga: { is: 'text' }, until: { is: 'number', min: 0 }, ...LISTING },
    run: (system, taken) => timerList(system, taken),
  },
  pause: {
    isWrite: true,
    takes: { service: { is: 'text', isRequired: true } },
    run: (system, { service }) => setPaused(system, service as string, true),
  },
  resume: {
    isWrite: true,
    takes: { service: { is: 'text', isRequired: true } },
    run: (system, { service }) => setPaused(system, service as string, false),
  },
  rewind: {
    isWrite: true,
    takes: {
      consumer: { is: 'text', isRequired: true },
      to: { is: 'text', isRequired: true },
      topic: { is: 'text' },
      partition: { is: 'number', min: 0 },
    },
    run: (system, { consumer, to, topic, partition }) =>
      system.rewind({
        consumer: consumer as string,
        to: rewindTo(to as string),
        ...(topic === undefined ? {} : { topic: topic as string }),
        ...(partition === undefined ? {} : { partition: partition as number }),
      }),
  },
  replay: {
    isWrite: false,
    takes: {
      topic: { is: 'text', isRequired: true },
      partition: { is: 'number', min: 0 },
      from: { is: 'text' },
      to: { is: 'text' },
      cursor: { is: 'text' },
      limit: { is: 'number', min: 1, max: 10_000, initial: 2_000 },
    },
    run: (system, taken) => replay(system, taken as never),
  },
  backup: {
    isWrite: true,
    takes: { to: { is: 'text', isRequired: true } },
    run: (system, { to }, tell) => backUp(system, to as string, tell),
  },
  archive: {
    isWrite: true,
    takes: {
      topic: { is: 'text', isRequired: true },
      before: { is: 'text', isRequired: true },
      to: { is: 'text', isRequired: true },
    },
    run: (system, taken, tell) => archive(system, taken as never, tell),
  },
  rebuild: {
    isWrite: true,
    takes: { projection: { is: 'text', isRequired: true } },
    run: (system, { projection }, tell) => system.rebuild(projection as string, tell),
  },
  verify: { isWrite: false, takes: {}, run: (system, _, tell) => verify(system, tell) },
} as const satisfies Record<string, Verb>

export type VerbName = keyof typeof verbs

/** The operations for operators: over the control socket, over HTTP, and on data without an owner. */
export const VERBS: Readonly<Record<VerbName, Verb>> = verbs

export function isVerb(name: unknown): name is VerbName {
  return typeof name === 'string' && Object.hasOwn(verbs, name)
}

/** Parses `earliest`, `latest`, an offset or a time. */
function rewindTo(text: string): RewindTo {
  const { to = 'latest' } = momentsOf('rewind', { to: text }, ['earliest', 'latest'])
  if (typeof to === 'string') return to
  return to.is === 'time' ? { atMs: to.atMs } : { offset: to.offset }
}

async function setPaused(system: System, service: string, isPaused: boolean): Promise<object> {
  await system.setPaused(service, isPaused)
  return { service, isPaused }
}

/**
 * Validates the arguments and runs a verb.
 *
 * @throws Fault `OPTION_INVALID` with all issues, `TOPIC_NOT_FOUND`, `MESSAGE_NOT_FOUND`,
 * `SERVICE_NOT_FOUND`, `RULE_NOT_FOUND`, `REWIND_REFUSED`, `PROJECTION_NOT_FOUND`,
 * `REBUILD_FAILED`, `DATA_READ_ONLY`, `BACKEND_CANNOT`, `DIRECTORY_TAKEN`
 */
export async function runVerb(
  system: System,
  name: VerbName,
  given: Given,
  tell: Tell = () => undefined,
): Promise<unknown> {
  const verb = VERBS[name]
  return verb.run(system, takenBy(name, verb, given), tell)
}

function takenBy(name: VerbName, { takes }: Verb, given: Given): Taken {
  const complaints: Complaint[] = Object.keys(given)
    .filter((each) => !Object.hasOwn(takes, each))
    .map((path) => ({ path, message: `is unknown: ${name} takes ${listed(takes)}` }))
  const taken: Record<string, string | number | undefined> = {}
  for (const [path, spec] of Object.entries(takes)) {
    const value = Object.hasOwn(given, path) ? given[path] : undefined
    const flaw = flawOf(spec, value)
    if (flaw) complaints.push({ path, message: flaw })
    else taken[path] = (value as string | number | undefined) ?? spec.initial
  }
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: name, complaints })
  return taken
}

const listed = (takes: Verb['takes']): string => Object.keys(takes).join(', ') || 'nothing'

function flawOf(spec: ArgumentSpec, value: unknown): string | undefined {
  if (value === undefined) return spec.isRequired ? 'is missing' : undefined
  if (spec.is === 'text')
    return typeof value === 'string' && value !== '' ? undefined : 'must be text'
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  const isFit = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
  return isFit ? undefined : `must be a whole number from ${min} to ${max}`
}
