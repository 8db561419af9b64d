/**
 * Every fault that Throughline throws, by its stable code. Refusals are answers and are returned;
 * a fault means that something is broken or was called wrongly. `cure` says what to do next.
 */
export const FAULTS = {
  APP_STOPPING: {
    meaning: 'the app is stopping and takes nothing new',
    retryable: true,
    cure: 'send it again, with the same id, once the app has started again',
  },
  ARCHIVE_DAMAGED: {
    meaning: 'a file of the archive is not as it was written',
    retryable: false,
    cure: 'put back an unharmed copy of the file; only what it holds cannot be read meanwhile',
  },
  ARCHIVE_MISSING: {
    meaning: 'a file of the archive is not there',
    retryable: false,
    cure: 'restore the archive file that is named; until then only its records cannot be read',
  },
  BACKEND_CANNOT: {
    meaning: 'what the services run on cannot do that',
    retryable: false,
    cure: 'use the means of what is underneath',
  },
  BACKPRESSURE: {
    meaning: 'too much is in flight already',
    retryable: true,
    cure: 'wait and send it again with the same id, or make the consumer faster',
  },
  BACKUP_DAMAGED: {
    meaning: 'the backup is not as it was written',
    retryable: false,
    cure: 'use another backup; nothing was restored',
  },
  BACKUP_MISSING: {
    meaning: 'there is no backup here',
    retryable: false,
    cure: 'name a directory that throughline backup has written',
  },
  CONTRACT_INCOMPATIBLE: {
    meaning: 'a contract does not fit the messages that are stored',
    retryable: false,
    cure: 'give each message that changed a new version, with the earlier one in its was',
  },
  CONTRACT_INVALID: {
    meaning: 'a contract cannot be as it is written',
    retryable: false,
    cure: 'correct the contract as each complaint says',
  },
  DATA_DAMAGED: {
    meaning: 'the data directory is damaged',
    retryable: false,
    cure: 'keep the directory as it is, and restore a backup into another one',
  },
  DATA_FOREIGN: {
    meaning: 'the data directory holds something that is not ours',
    retryable: false,
    cure: 'name another directory; nothing was changed in this one',
  },
  DATA_IS_BACKUP: {
    meaning: 'the directory is a backup, which stays as it was written',
    retryable: false,
    cure: 'restore it into a directory of its own (throughline restore), and run that one',
  },
  DATA_MISSING: {
    meaning: 'there is no data here',
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
    cure: 'start its owner once, which brings it up to this version; looking alone changes nothing',
  },
  DATA_OWNED: {
    meaning: 'the data directory is owned already',
    retryable: true,
    cure: 'stop that process first, or name another directory',
  },
  DATA_READ_ONLY: {
    meaning: 'the data is only open for reading',
    retryable: false,
    cure: 'start its owner, or say --offline to change it without one',
  },
  DATA_UNAVAILABLE: {
    meaning: 'the system does not let the data directory be opened',
    retryable: true,
    cure: 'fix what the operating system reports (disk, permissions) and start again; the data is unchanged',
  },
  DIRECTORY_TAKEN: {
    meaning: 'the directory holds something already',
    retryable: false,
    cure: 'name a new directory; nothing was changed in this one',
  },
  EARLIER_NOT_STORED: {
    meaning: 'an earlier message of the same key was not stored, so this one would overtake it',
    retryable: true,
    cure: 'send the earlier one again, then this one, each with its own id',
  },
  ID_CONFLICT: {
    meaning: 'the topic already holds another message under this id',
    retryable: false,
    cure: 'use the id of a message for that message alone',
  },
  LOG_DAMAGED: {
    meaning: 'a partition of the log is damaged, and takes and gives nothing more',
    retryable: false,
    cure: 'run `throughline verify`, which names the range, and restore a backup; the rest goes on',
  },
  LOG_FULL: {
    meaning: 'the disk is full, and nothing was stored',
    retryable: true,
    cure: 'make room on the disk, then send it again with the same id; it goes on by itself',
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
    meaning: 'a message does not have the form that its contract states',
    retryable: false,
    cure: 'correct every complaint; nothing was stored',
  },
  MESSAGE_NEWER: {
    meaning: 'a stored message has a newer version than the code knows',
    retryable: false,
    cure: 'start the code that wrote it, or a later one; until then the message is held',
  },
  MESSAGE_NOT_FOUND: {
    meaning: 'no topic holds a message with this id',
    retryable: false,
    cure: 'look the id up in the log or on the page',
  },
  NOT_PROJECTED: {
    meaning: 'projections have not folded yet what an operation has published',
    retryable: true,
    cure: 'wait longer, or look at what each complaint names, with throughline held and health',
  },
  NOT_SETTLED: {
    meaning: 'not everything is done yet',
    retryable: true,
    cure: 'look at what each complaint names, with throughline held, sagas and operations',
  },
  OPERATION_NOT_FOUND: {
    meaning: 'no operation has this id',
    retryable: false,
    cure: 'use the id under which the command was sent',
  },
  OPTION_INVALID: {
    meaning: 'an option is wrong',
    retryable: false,
    cure: 'correct the options as each complaint says',
  },
  OWNER_GONE: {
    meaning: 'the owner of the data directory went away before it had answered',
    retryable: true,
    cure: 'say it again: without an owner the data is opened for reading',
  },
  PORT_BUSY: {
    meaning: 'the port is taken already',
    retryable: true,
    cure: 'stop what listens there, or name another port; 0 takes any that is free',
  },
  PROCESS_ENDED: {
    meaning: 'the process ended each time that a rule was run on this message',
    retryable: false,
    cure: 'look at what the rule does with it (exit, endless loop, memory); it is tried again after a stop and a start',
  },
  PROJECTION_CHANGED: {
    meaning: 'the by, the indexes or the messages of a projection are not those that made its rows',
    retryable: false,
    cure: 'raise its version: then its rows are rebuilt, and those that are there stay until then',
  },
  PROJECTION_NOT_FOUND: {
    meaning: 'no projection has this name',
    retryable: false,
    cure: 'name a service, a slash and one of its projections',
  },
  QUERY_NOT_ANSWERED: {
    meaning: 'no running service answers this query',
    retryable: false,
    cure: 'add a query rule for it to the service that owns the contract',
  },
  REBUILD_FAILED: {
    meaning: 'a rebuild cannot go on: a rule throws; the live rows stay as they are',
    retryable: false,
    cure: 'correct the rule, raise the version of the projection, and start again',
  },
  REWIND_REFUSED: {
    meaning: 'this rule cannot be rewound',
    retryable: false,
    cure: 'rewind a handler; rebuild a projection; what an entity or a saga has done stays done',
  },
  RULE_INVALID: {
    meaning: 'a rule is not as it must be',
    retryable: false,
    cure: 'correct the rule as each complaint says',
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
    meaning: 'the schema of a message is asynchronous, or makes what JSON cannot hold',
    retryable: false,
    cure: 'make the schema synchronous and let it return JSON values: z.iso.datetime(), not z.date(), for example',
  },
  SERVICE_NOT_FOUND: {
    meaning: 'no service has this name',
    retryable: false,
    cure: 'use a name that the message lists',
  },
  START_REFUSED: {
    meaning: 'the services do not fit together',
    retryable: false,
    cure: 'correct each complaint; nothing was started',
  },
  STORE_UNKNOWN: {
    meaning: 'the store did not answer in time',
    retryable: true,
    cure: 'look at the health of the store; the engine tries again by itself',
  },
  STREAM_INCOMPLETE: {
    meaning: 'events of an entity are gone, so its state cannot be folded again by changed rules',
    retryable: false,
    cure: 'go back to the former evolve rules, or bring the events back from a backup or an archive',
  },
  THREAD_ENDED: {
    meaning: 'the thread that ran a handler ended in the middle of it',
    retryable: true,
    cure: 'look at what the handler does with that message; it is tried again in another thread',
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
    cure: 'have all of it import the same one: npm ls throughline says where they come from',
  },
  UNIT_CONFLICT: {
    meaning: 'a unit of work conflicts again and again, although nobody else changes its rows',
    retryable: true,
    cure: 'look at the rows that are named (`throughline verify`); it is tried again by itself',
  },
  UPCAST_FAILED: {
    meaning: 'an old message could not be brought to the version of today',
    retryable: false,
    cure: 'correct the up of that version in the contract; until then the message is held',
  },
} as const satisfies Record<string, { meaning: string; retryable: boolean; cure: string }>

export type FaultCode = keyof typeof FAULTS

/** One thing that is wrong with an input, and where: `lines[3].quantity`. */
export interface Complaint {
  readonly path: string
  readonly message: string
}

/** The detail of a fault that is about all of them: `1 complaint`, `2 complaints`. */
export function complaintsText({ length }: readonly Complaint[]): string {
  return `${length} complaint${length === 1 ? '' : 's'}`
}

export interface FaultDetails {
  readonly detail: string
  readonly complaints?: readonly Complaint[]
  /** The ids by which the matter can be looked up. */
  readonly ids?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** Known to every copy of the package. */
const IS_FAULT = Symbol.for('throughline.fault')

/** What is thrown when something broke, or was called wrongly. */
export class Fault extends Error {
  /** A fault of another copy of the package is one, too, if its code is known here. */
  static override [Symbol.hasInstance](value: unknown): value is Fault {
    try {
      if (typeof value !== 'object' || value === null || !(IS_FAULT in value)) return false
      return Object.hasOwn(FAULTS, (value as Fault).code)
    } catch {
      // What is thrown may be a proxy that throws whoever looks at it.
      return false
    }
  }

  declare readonly [IS_FAULT]: true
  override readonly name = 'Fault'
  readonly code: FaultCode
  readonly retryable: boolean
  readonly detail: string
  readonly complaints: readonly Complaint[]
  readonly ids: Readonly<Record<string, string>>

  constructor(code: FaultCode, details: FaultDetails) {
    const complaints = details.complaints ?? []
    super(sentence(code, details.detail, complaints), { cause: details.cause })
    this.code = code
    this.retryable = FAULTS[code].retryable
    this.detail = details.detail
    this.complaints = complaints
    this.ids = details.ids ?? {}
  }
}

Object.defineProperty(Fault.prototype, IS_FAULT, { value: true })

/** Whether the same again would only fail again: for what is thrown by code that has to be changed. */
export function isFinal(cause: unknown): boolean {
  return cause instanceof Fault && !cause.retryable
}

/** The same of a code, as it is stored; one that is not of ours is not final. */
export function isFinalCode(code: string | undefined): boolean {
  return code !== undefined && Object.hasOwn(FAULTS, code) && !FAULTS[code as FaultCode].retryable
}

function sentence(code: FaultCode, detail: string, complaints: readonly Complaint[]): string {
  const list = complaints.map(({ path, message }) => `\n  - ${path ? `${path}: ` : ''}${message}`)
  const { meaning, cure } = FAULTS[code]
  return `${code}: ${meaning}: ${detail}${list.join('')}\n${cure}.`
}
