import type { Issue } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { accountOf } from './account.ts'
import { archiveTopic } from './archive.ts'
import { listAudit, runAudited } from './audit.ts'
import { backUpSystem } from './backup.ts'
import {
  DEAD_LETTER_FILTER,
  LETTER,
  LETTER_DATA,
  SELECTION,
  dataIssues,
  definedOnly,
  editDeadLetter,
  resolveDeadLetters,
  selectionIssues,
  undoDeadLetterEdit,
} from './dead-letter-verbs.ts'
import { readStoredMessages } from '../engine/startup/index.ts'
import {
  heldKeys,
  openSagas,
  listOperations,
  LIST_LIMIT,
  listTimers,
} from '../engine/listing/index.ts'
import { LEDGER_FILTER, ledgerIssues, readLedger } from './ledger/ledger.ts'
import { readChain, newestEvents, readTopic } from './read-topic.ts'
import { browseTopic, findMessages } from './browse-topic.ts'
import type { RewindTarget } from '../engine/operations/index.ts'
import { parseOffsetsOrTimes } from './offset-or-time.ts'
import { overviewOf } from './overview.ts'
import { replay } from './replay.ts'
import type { System } from './system.ts'
import { systemUser } from './system-user.ts'
import type { ReportProgress } from '../ports/backup-and-archive.ts'
import type { ArgumentSpec, ParsedArguments, VerbArguments } from './verb-arguments.ts'
import { parseArguments } from './verb-arguments.ts'
import { verify } from './verify.ts'

export type { VerbArguments } from './verb-arguments.ts'

interface Verb {
  /** It changes something, and leaves an entry in the audit trail. */
  readonly isWrite: boolean
  readonly takes: Readonly<Record<string, ArgumentSpec>>
  /** Issues that concern several arguments. */
  readonly check?: (taken: ParsedArguments) => readonly Issue[]
  /** It changes nothing in the store, and so runs even where the audit trail cannot be written. */
  readonly keepsStore?: true
  run(system: System, taken: ParsedArguments, onProgress: ReportProgress): Promise<unknown>
}

const RECORDS_PER_CHAIN = 1_000_000

/** The arguments of every verb that lists. */
const LIST_ARGUMENTS = {
  limit: { kind: 'number', ...LIST_LIMIT },
  after: { kind: 'text' },
} as const satisfies Record<string, ArgumentSpec>

/** The arguments of every write: who asks for it, and why. */
const WRITE_ARGUMENTS = {
  by: { kind: 'text', lengthMax: LIMITS.nameLengthMax, isStored: true },
  reason: { kind: 'text', lengthMax: LIMITS.issueLengthMax, isStored: true },
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
  ledger: {
    isWrite: false,
    takes: LEDGER_FILTER,
    check: ledgerIssues,
    run: (system, taken) => readLedger(system, taken),
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
    takes: { service: { kind: 'text', isRequired: true }, ...WRITE_ARGUMENTS },
    run: (system, { service }) => setPaused(system, service as string, true),
  },
  resume: {
    isWrite: true,
    takes: { service: { kind: 'text', isRequired: true }, ...WRITE_ARGUMENTS },
    run: (system, { service }) => setPaused(system, service as string, false),
  },
  rewind: {
    isWrite: true,
    takes: {
      consumer: { kind: 'text', isRequired: true },
      to: { kind: 'text', isRequired: true },
      topic: { kind: 'text' },
      partition: { kind: 'number', min: 0 },
      ...WRITE_ARGUMENTS,
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
    keepsStore: true,
    takes: { to: { kind: 'text', isRequired: true }, ...WRITE_ARGUMENTS },
    run: (system, { to }, tell) => backUpSystem(system, to as string, tell),
  },
  archive: {
    isWrite: true,
    takes: {
      topic: { kind: 'text', isRequired: true },
      before: { kind: 'text', isRequired: true },
      to: { kind: 'text', isRequired: true },
      ...WRITE_ARGUMENTS,
    },
    run: (system, taken, tell) => archiveTopic(system, taken as never, tell),
  },
  rebuild: {
    isWrite: true,
    takes: { projection: { kind: 'text', isRequired: true }, ...WRITE_ARGUMENTS },
    run: (system, { projection }, tell) => system.rebuild(projection as string, tell),
  },
  verify: { isWrite: false, takes: {}, run: (system, _, tell) => verify(system, tell) },
  dead: {
    isWrite: false,
    takes: { ...DEAD_LETTER_FILTER, ...LIST_ARGUMENTS },
    run: ({ deadLetters }, taken) => deadLetters.list(definedOnly(taken)),
  },
  'dead-causes': {
    isWrite: false,
    takes: DEAD_LETTER_FILTER,
    run: ({ deadLetters }, taken) => deadLetters.causes(definedOnly(taken)),
  },
  'dead-preview': {
    isWrite: false,
    takes: DEAD_LETTER_FILTER,
    run: ({ deadLetters }, taken) => deadLetters.preview(definedOnly(taken)),
  },
  'dead-redrive': {
    isWrite: true,
    takes: { ...SELECTION, ...WRITE_ARGUMENTS },
    check: selectionIssues,
    run: (system, taken, tell) => resolveDeadLetters(system, 'redrive', taken, tell),
  },
  'dead-discard': {
    isWrite: true,
    takes: {
      ...SELECTION,
      ...WRITE_ARGUMENTS,
      reason: { ...WRITE_ARGUMENTS.reason, isRequired: true },
    },
    check: selectionIssues,
    run: (system, taken, tell) => resolveDeadLetters(system, 'discard', taken, tell),
  },
  'dead-edit': {
    isWrite: true,
    takes: { ...LETTER, ...LETTER_DATA, ...WRITE_ARGUMENTS },
    check: dataIssues,
    run: editDeadLetter,
  },
  'dead-undo-edit': {
    isWrite: true,
    takes: { ...LETTER, ...WRITE_ARGUMENTS },
    run: undoDeadLetterEdit,
  },
  account: { isWrite: false, takes: {}, run: (system) => accountOf(system) },
  audit: {
    isWrite: false,
    takes: { by: { kind: 'text' }, verb: { kind: 'text' }, ...LIST_ARGUMENTS },
    run: (system, taken) => listAudit(system, taken as never),
  },
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
 * Validates the arguments and runs a verb. A write leaves an entry in the audit trail; `by` is the user
 * of this process by default.
 *
 * @throws Fault `OPTION_INVALID` with all issues, `TOPIC_NOT_FOUND`, `MESSAGE_NOT_FOUND`,
 * `SERVICE_NOT_FOUND`, `RULE_NOT_FOUND`, `REWIND_REFUSED`, `PROJECTION_NOT_FOUND`,
 * `REBUILD_FAILED`, `DATA_READ_ONLY`, `BACKEND_CANNOT`, `DIRECTORY_TAKEN`, `MESSAGE_INVALID`,
 * `STORE_UNKNOWN`
 */
export async function runVerb(
  system: System,
  name: VerbName,
  given: VerbArguments,
  onProgress: ReportProgress = () => undefined,
): Promise<unknown> {
  const verb = VERBS[name]
  const parsed = parseArguments(name, verb.takes, given, verb.check)
  if (!verb.isWrite) return verb.run(system, parsed, onProgress)
  const { by = systemUser(), reason = '' } = parsed
  const taken = { ...parsed, by, reason }
  const call = { verb: name, taken, isOptional: verb.keepsStore === true }
  return runAudited(system, call, () => verb.run(system, taken, onProgress))
}
