import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { archiveTopic } from './archive.ts'
import { backUpSystem } from './backup.ts'
import { readStoredMessages } from '../engine/startup/index.ts'
import {
  heldKeys,
  openSagas,
  listOperations,
  LIST_LIMIT,
  listTimers,
} from '../engine/listing/index.ts'
import { readChain, newestEvents, readTopic } from './read-topic.ts'
import { browseTopic, findMessages } from './browse-topic.ts'
import type { RewindTarget } from '../engine/operations/index.ts'
import { parseOffsetsOrTimes } from './offset-or-time.ts'
import { overviewOf } from './overview.ts'
import { replay } from './replay.ts'
import type { System } from './system.ts'
import type { ReportProgress } from '../ports/backup-and-archive.ts'
import { verify } from './verify.ts'

/** The type and bounds of an argument of a verb; `number` means an integer. */
interface ArgumentSpec {
  readonly kind: 'text' | 'number'
  readonly isRequired?: boolean
  readonly min?: number
  readonly max?: number
  readonly default?: number
}

/** Unvalidated arguments. */
export type VerbArguments = Readonly<Record<string, unknown>>
type ParsedArguments = Readonly<Record<string, string | number | undefined>>

interface Verb {
  readonly isWrite: boolean
  readonly takes: Readonly<Record<string, ArgumentSpec>>
  run(system: System, taken: ParsedArguments, onProgress: ReportProgress): Promise<unknown>
}

const RECORDS_PER_CHAIN = 1_000_000

/** The arguments of every verb that lists. */
const LIST_ARGUMENTS = {
  limit: { kind: 'number', ...LIST_LIMIT },
  after: { kind: 'text' },
} as const satisfies Record<string, ArgumentSpec>

const verbs = {
  overview: { isWrite: false, takes: {}, run: (system) => overviewOf(system) },
  health: { isWrite: false, takes: {}, run: (system) => system.health() },
  describe: { isWrite: false, takes: {}, run: async ({ catalog }) => catalog },
  contracts: { isWrite: false, takes: {}, run: ({ backend }) => readStoredMessages(backend.store) },
  log: {
    isWrite: false,
    takes: {
      topic: { kind: 'text', isRequired: true },
      partition: { kind: 'number', min: 0 },
      from: { kind: 'number', min: 0 },
      limit: { kind: 'number', min: 1, max: 10_000, default: 20 },
    },
    run: (system, taken) => readTopic(system, taken as never),
  },
  newest: {
    isWrite: false,
    takes: { limit: { kind: 'number', min: 1, max: 1_000, default: 40 } },
    run: (system, { limit }) => newestEvents(system, limit as number),
  },
  browse: {
    isWrite: false,
    takes: {
      topic: { kind: 'text', isRequired: true },
      partition: { kind: 'number', min: 0 },
      offset: { kind: 'number', min: 0 },
      since: { kind: 'number', min: 0 },
      until: { kind: 'number', min: 0 },
      key: { kind: 'text' },
      type: { kind: 'text' },
      text: { kind: 'text' },
      ...LIST_ARGUMENTS,
    },
    run: (system, taken) => browseTopic(system, taken as never),
  },
  find: {
    isWrite: false,
    takes: { text: { kind: 'text', isRequired: true }, ...LIST_ARGUMENTS },
    run: (system, taken) => findMessages(system, taken as never),
  },
  chain: {
    isWrite: false,
    takes: {
      event: { kind: 'text', isRequired: true },
      records: { kind: 'number', min: 1, default: RECORDS_PER_CHAIN },
    },
    run: (system, { event, records }) => readChain(system, event as string, records as number),
  },
  held: {
    isWrite: false,
    takes: { consumer: { kind: 'text' }, key: { kind: 'text' }, ...LIST_ARGUMENTS },
    run: (system, taken) => heldKeys(system, taken),
  },
  sagas: {
    isWrite: false,
    takes: { saga: { kind: 'text' }, operation: { kind: 'text' }, ...LIST_ARGUMENTS },
    run: (system, taken) => openSagas(system, taken),
  },
  operations: {
    isWrite: false,
    takes: {
      state: { kind: 'text' },
      key: { kind: 'text' },
      type: { kind: 'text' },
      since: { kind: 'number', min: 0 },
      until: { kind: 'number', min: 0 },
      ...LIST_ARGUMENTS,
    },
    run: (system, taken) => listOperations(system, taken),
  },
  timers: {
    isWrite: false,
    takes: { saga: { kind: 'text' }, until: { kind: 'number', min: 0 }, ...LIST_ARGUMENTS },
    run: (system, taken) => listTimers(system, taken),
  },
  pause: {
    isWrite: true,
    takes: { service: { kind: 'text', isRequired: true } },
    run: (system, { service }) => setPaused(system, service as string, true),
  },
  resume: {
    isWrite: true,
    takes: { service: { kind: 'text', isRequired: true } },
    run: (system, { service }) => setPaused(system, service as string, false),
  },
  rewind: {
    isWrite: true,
    takes: {
      consumer: { kind: 'text', isRequired: true },
      to: { kind: 'text', isRequired: true },
      topic: { kind: 'text' },
      partition: { kind: 'number', min: 0 },
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
      topic: { kind: 'text', isRequired: true },
      partition: { kind: 'number', min: 0 },
      from: { kind: 'text' },
      to: { kind: 'text' },
      cursor: { kind: 'text' },
      limit: { kind: 'number', min: 1, max: 10_000, default: 2_000 },
    },
    run: (system, taken) => replay(system, taken as never),
  },
  backup: {
    isWrite: true,
    takes: { to: { kind: 'text', isRequired: true } },
    run: (system, { to }, tell) => backUpSystem(system, to as string, tell),
  },
  archive: {
    isWrite: true,
    takes: {
      topic: { kind: 'text', isRequired: true },
      before: { kind: 'text', isRequired: true },
      to: { kind: 'text', isRequired: true },
    },
    run: (system, taken, tell) => archiveTopic(system, taken as never, tell),
  },
  rebuild: {
    isWrite: true,
    takes: { projection: { kind: 'text', isRequired: true } },
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
function rewindTo(text: string): RewindTarget {
  const { to = 'latest' } = parseOffsetsOrTimes('rewind', { to: text }, ['earliest', 'latest'])
  if (typeof to === 'string') return to
  return to.kind === 'time' ? { atMs: to.atMs } : { offset: to.offset }
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
  given: VerbArguments,
  onProgress: ReportProgress = () => undefined,
): Promise<unknown> {
  const verb = VERBS[name]
  return verb.run(system, parseArguments(name, verb, given), onProgress)
}

function parseArguments(name: VerbName, { takes }: Verb, given: VerbArguments): ParsedArguments {
  const issues: Issue[] = Object.keys(given)
    .filter((each) => !Object.hasOwn(takes, each))
    .map((path) => ({ path, message: `is unknown: ${name} takes ${argumentNames(takes)}` }))
  const parsed: Record<string, string | number | undefined> = {}
  for (const [path, spec] of Object.entries(takes)) {
    const value = Object.hasOwn(given, path) ? given[path] : undefined
    const reason = invalidArgumentReason(spec, value)
    if (reason) issues.push({ path, message: reason })
    else parsed[path] = (value as string | number | undefined) ?? spec.default
  }
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: name, issues })
  return parsed
}

const argumentNames = (takes: Verb['takes']): string => Object.keys(takes).join(', ') || 'nothing'

function invalidArgumentReason(spec: ArgumentSpec, value: unknown): string | undefined {
  if (value === undefined) return spec.isRequired ? 'is missing' : undefined
  if (spec.kind === 'text')
    return typeof value === 'string' && value !== '' ? undefined : 'must be text'
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec
  const isFit = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
  return isFit ? undefined : `must be a whole number from ${min} to ${max}`
}
