/**
 * Every error that Throughline throws, by its stable code. A refusal is an answer and is returned; a
 * fault means that something is broken or was called wrongly. `cure` says what to do next.
 */
export const FAULTS = {
  APP_STOPPING: {
    meaning: 'the app is stopping and accepts nothing new',
    retryable: true,
    cure: 'send it again, with the same id, once the app has started again',
  },
  ARCHIVE_DAMAGED: {
    meaning: 'an archive file does not match its checksum',
    retryable: false,
    cure: 'put back an undamaged copy of the file; only the records in it cannot be read until then',
  },
  ARCHIVE_MISSING: {
    meaning: 'an archive file is missing',
    retryable: false,
    cure: 'restore the archive file that is named; only the records in it cannot be read until then',
  },
  BACKEND_CANNOT: {
    meaning: 'the backend does not support this operation',
    retryable: false,
    cure: "use the tools of the backend's own database",
  },
  BACKPRESSURE: {
    meaning: 'too many messages are in flight or unread',
    retryable: true,
    cure: 'wait and send it again with the same id, or make the consumer faster',
  },
  BACKUP_DAMAGED: {
    meaning: 'the backup does not match its checksums',
    retryable: false,
    cure: 'use another backup; nothing was restored',
  },
  BACKUP_MISSING: {
    meaning: 'the directory holds no backup',
    retryable: false,
    cure: 'name a directory that throughline backup has written',
  },
  CONTRACT_INCOMPATIBLE: {
    meaning: 'a contract is not compatible with the messages that are stored',
    retryable: false,
    cure: 'give each message that changed a new version, with the earlier one among its upcasters',
  },
  CONTRACT_INVALID: {
    meaning: 'a contract is not valid',
    retryable: false,
    cure: 'correct the contract as each issue says',
  },
  DATA_DAMAGED: {
    meaning: 'the data directory is damaged',
    retryable: false,
    cure: 'keep the directory as it is, and restore a backup into another one',
  },
  DATA_FOREIGN: {
    meaning: 'the data directory holds files that are not of Throughline',
    retryable: false,
    cure: 'name another directory; nothing was changed in this one',
  },
  DATA_IS_BACKUP: {
    meaning: 'the directory is a backup, which is never written to',
    retryable: false,
    cure: 'restore it into a directory of its own (throughline restore), and run that one',
  },
  DATA_MISSING: {
    meaning: 'the directory holds no data',
    retryable: false,
    cure: 'name the data directory of a system that has run (--data DIRECTORY), or start one there',
  },
  DATA_NEWER: {
    meaning: 'the data was written by a newer version of Throughline',
    retryable: false,
    cure: 'update the package, or name another directory',
  },
  DATA_OLDER: {
    meaning: 'the data was written by an older version of Throughline',
    retryable: false,
    cure: 'start its owner once to migrate the data to this version; reading alone changes nothing',
  },
  DATA_OWNED: {
    meaning: 'the data directory is in use by another owner',
    retryable: true,
    cure: 'stop that process first, or name another directory',
  },
  DATA_READ_ONLY: {
    meaning: 'the data is open for reading only',
    retryable: false,
    cure: 'start its owner, or use --offline to change it without one',
  },
  DATA_UNAVAILABLE: {
    meaning: 'the operating system does not allow the data directory to be opened',
    retryable: true,
    cure: 'fix what the operating system reports (disk, permissions) and start again; the data is unchanged',
  },
  DIRECTORY_TAKEN: {
    meaning: 'the directory is not empty',
    retryable: false,
    cure: 'name a new directory; nothing was changed in this one',
  },
  EARLIER_NOT_STORED: {
    meaning: 'an earlier message of the same key was not stored, and this one must not overtake it',
    retryable: true,
    cure: 'send the earlier one again, then this one, each with its own id',
  },
  FINAL: {
    meaning: 'a rule says that no retry can help',
    retryable: false,
    cure: 'correct the message or the rule, then redrive it with throughline dead, or discard it',
  },
  HANDLER_TIMEOUT: {
    meaning: 'a handler has not ended in time',
    retryable: true,
    cure: 'see what it waits for; raise its timeoutMs if it needs longer, and end when its signal aborts',
  },
  ID_CONFLICT: {
    meaning: 'the topic already holds another message with this id',
    retryable: false,
    cure: 'use each id for one message only',
  },
  LOG_DAMAGED: {
    meaning: 'a partition of the log is damaged and is neither read nor written any more',
    retryable: false,
    cure: 'run `throughline verify`, which names the range, and restore a backup; other partitions go on',
  },
  LOG_FULL: {
    meaning: 'the disk is full, and nothing was stored',
    retryable: true,
    cure: 'free disk space, then send it again with the same id; the engine resumes by itself',
  },
  LOG_REFUSED: {
    meaning: 'the log refused a message',
    retryable: false,
    cure: 'correct what the log names, then send it again',
  },
  LOG_UNKNOWN: {
    meaning: 'the log did not answer in time: the message may or may not be stored',
    retryable: true,
    cure: 'send it again with the same id; it is stored once',
  },
  MESSAGE_INVALID: {
    meaning: 'a message does not match the schema of its contract',
    retryable: false,
    cure: 'correct every issue; nothing was stored',
  },
  MESSAGE_NEWER: {
    meaning: 'a stored message has a newer version than the code knows',
    retryable: false,
    cure: 'start the code that wrote it, or a later one; until then the message is a dead letter',
  },
  MESSAGE_NOT_FOUND: {
    meaning: 'no topic holds a message with this id',
    retryable: false,
    cure: 'look the id up in the log or on the page',
  },
  NOT_PROJECTED: {
    meaning: 'projections have not yet folded what an operation published',
    retryable: true,
    cure: 'wait longer, or inspect what each issue names with throughline held and throughline health',
  },
  NOT_SETTLED: {
    meaning: 'not all accepted messages have been handled yet',
    retryable: true,
    cure: 'look at what each issue names, with throughline held, sagas and operations',
  },
  OPERATION_NOT_FOUND: {
    meaning: 'no operation has this id',
    retryable: false,
    cure: 'use the id that the command was sent with',
  },
  OPTION_INVALID: {
    meaning: 'an option is not valid',
    retryable: false,
    cure: 'correct the options as each issue says',
  },
  OWNER_GONE: {
    meaning: 'the owner of the data directory went away before it had answered',
    retryable: true,
    cure: 'run the command again: without an owner the data is opened for reading',
  },
  PORT_BUSY: {
    meaning: 'the port is in use',
    retryable: true,
    cure: 'stop the process that listens there, or name another port; 0 takes any that is free',
  },
  PROCESS_ENDED: {
    meaning: 'the process ended each time that a rule ran on this message',
    retryable: false,
    cure: 'look at what the rule does with it (exit, endless loop, memory), then redrive it',
  },
  PROJECTION_CHANGED: {
    meaning: 'the by, indexes or messages of a projection have changed since its rows were made',
    retryable: false,
    cure: 'raise its version to have its rows rebuilt, or stop this instance if a newer version made them',
  },
  PROJECTION_NOT_FOUND: {
    meaning: 'no projection has this name',
    retryable: false,
    cure: 'name a service, a slash and one of its projections',
  },
  QUERY_NOT_ANSWERED: {
    meaning: 'no running service answers this query',
    retryable: false,
    cure: 'add a queryHandler for it to the service that owns the contract',
  },
  REBUILD_FAILED: {
    meaning: 'a rebuild stopped because a rule throws; the live rows are unchanged',
    retryable: false,
    cure: 'correct the rule, raise the version of the projection, and start again',
  },
  REWIND_REFUSED: {
    meaning: 'this rule cannot be rewound',
    retryable: false,
    cure: 'rewind handlers only; rebuild a projection; entities and sagas cannot be run again',
  },
  RULE_INVALID: {
    meaning: 'a rule is not valid',
    retryable: false,
    cure: 'correct the rule as each issue says',
  },
  RULE_NOT_FOUND: {
    meaning: 'no rule that reads topics has this name',
    retryable: false,
    cure: 'name a service, a slash and one of its rules',
  },
  RULE_RETURNED: {
    meaning: 'a rule returned something that it may not return',
    retryable: false,
    cure: 'return only what the rule declares: messages, effects or a refusal of its contract',
  },
  SCHEMA_INVALID: {
    meaning: 'the schema of a message is asynchronous, or returns values that JSON cannot hold',
    retryable: false,
    cure: 'make the schema synchronous and let it return JSON values: z.iso.datetime(), not z.date(), for example',
  },
  SERVICE_NOT_FOUND: {
    meaning: 'no service has this name',
    retryable: false,
    cure: 'use a name that the message lists',
  },
  START_REFUSED: {
    meaning: 'the services are not valid together',
    retryable: false,
    cure: 'correct each issue; nothing was started',
  },
  STATUS_REFUSED: {
    meaning: 'the status of an event does not allow this change',
    retryable: false,
    cure: 'look at its status first; only an event that has failed can be redriven, edited or discarded',
  },
  STORE_UNKNOWN: {
    meaning: 'the store did not answer in time',
    retryable: true,
    cure: 'look at the health of the store; the engine retries by itself',
  },
  STREAM_INCOMPLETE: {
    meaning: 'events of an entity are missing, so its state cannot be folded again',
    retryable: false,
    cure: 'go back to the earlier evolve rules, or, where its row is lost, restore a backup',
  },
  THREAD_ENDED: {
    meaning: 'the worker thread of a handler ended during a call',
    retryable: true,
    cure: 'look at what the handler does with that message; it is retried in another thread',
  },
  TOKEN_REFUSED: {
    meaning: 'the token is missing or wrong',
    retryable: false,
    cure: 'use the token that the owner of the data directory keeps in a file there',
  },
  TOPIC_DIFFERS: {
    meaning: 'a topic exists with other settings than its contract states',
    retryable: false,
    cure: 'state the settings that the topic has; they are fixed for its life',
  },
  TOPIC_NOT_FOUND: {
    meaning: 'no topic has this name',
    retryable: false,
    cure: 'use a name that the message lists',
  },
  TWO_COPIES: {
    meaning: 'there are two copies of the package in this process',
    retryable: false,
    cure: 'make every import resolve to the same copy: npm ls throughline shows where they come from',
  },
  UNIT_CONFLICT: {
    meaning: 'a unit of work conflicts repeatedly, although nothing else changes its rows',
    retryable: true,
    cure: 'look at the rows that are named (`throughline verify`); the engine retries by itself',
  },
  UPCAST_FAILED: {
    meaning: 'a stored message could not be upcast to the current version',
    retryable: false,
    cure: 'correct the upcaster of that version in the contract; until then the message is a dead letter',
  },
} as const satisfies Record<string, { meaning: string; retryable: boolean; cure: string }>

export type FaultCode = keyof typeof FAULTS

/** One problem of an input: what is wrong, and at which path, such as `lines[3].quantity`. */
export interface Issue {
  readonly path: string
  readonly message: string
}

/** The detail of a fault that only lists issues: `1 issue`, `2 issues`. */
export function issueCountText({ length }: readonly Issue[]): string {
  return `${length} issue${length === 1 ? '' : 's'}`
}

export interface FaultDetails {
  readonly detail: string
  readonly issues?: readonly Issue[]
  /** Ids of the message, topic, consumer or directory that the fault is about. */
  readonly ids?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Known to every copy of the package. */
const IS_FAULT = Symbol.for('throughline.fault')

/** The error that Throughline throws when something is broken or was called wrongly. */
export class Fault extends Error {
  /** Accepts faults of another copy of the package, if this copy knows their code. */
  static override [Symbol.hasInstance](value: unknown): value is Fault {
    try {
      if (typeof value !== 'object' || value === null || !(IS_FAULT in value)) return false
      return Object.hasOwn(FAULTS, (value as Fault).code)
    } catch {
      // A thrown value may be a proxy whose traps throw.
      return false
    }
  }

  declare readonly [IS_FAULT]: true
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly retryable: boolean
  readonly detail: string
  readonly issues: readonly Issue[]
  readonly ids: Readonly<Record<string, string>>

  constructor(code: FaultCode, details: FaultDetails) {
    const issues = details.issues ?? []
    super(faultMessage(code, details.detail, issues), { cause: details.cause })
    this.code = code
    this.retryable = FAULTS[code].retryable
    this.detail = details.detail
    this.issues = issues
    this.ids = details.ids ?? {}
  }
}

Object.defineProperty(Fault.prototype, IS_FAULT, { value: true })

/** Whether a retry cannot help, because code or options have to be changed first. */
export function isNonRetryable(cause: unknown): boolean {
  return cause instanceof Fault && !cause.retryable
}

/** `isFinal` for a stored code; a code that is not in `FAULTS` is not final. */
export function isFinalCode(code: string | undefined): boolean {
  return code !== undefined && Object.hasOwn(FAULTS, code) && !FAULTS[code as FaultCode].retryable
}

function faultMessage(code: FaultCode, detail: string, issues: readonly Issue[]): string {
  const list = issues.map(({ path, message }) => `\n  - ${path ? `${path}: ` : ''}${message}`)
  const { meaning, cure } = FAULTS[code]
  return `${code}: ${meaning}: ${detail}${list.join('')}\n${cure}.`
}
