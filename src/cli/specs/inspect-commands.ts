import { Option } from 'commander'
import type { CommandSpec } from './options.ts'
import { dataOptions, listOptions, numberOption, offlineOption, writeOptions } from './options.ts'

/** The commands that read data. */
export const inspectCommands: readonly CommandSpec[] = [
  {
    group: 'inspect',
    usage: 'topics',
    description: 'Lists the topics with their record counts.',
    options: dataOptions(),
    examples: ['topics', 'topics --data .throughline/shop --json'],
    load: async () => (await import('../commands/inspect/topics.ts')).topics,
  },
  {
    group: 'inspect',
    usage: 'consumers [action] [consumer]',
    description: `Lists the consumers with their counters and their lag. With the action rewind, moves a
handler to another position in its topics.`,
    options: writeOptions(
      new Option('--to <position>', 'earliest, latest, an offset, or a time such as 2030-01-31'),
      new Option('--topic <topic>', 'rewind in this topic only'),
      numberOption('--partition <n>', 'rewind in this partition only'),
      offlineOption(),
    ),
    examples: ['consumers', 'consumers rewind delivery/mail --to 2030-01-31T12:00:00Z'],
    load: async () => (await import('../commands/inspect/consumers.ts')).consumers,
  },
  {
    group: 'inspect',
    usage: 'log <topic>',
    description: 'Prints the last messages of a topic, in order of time.',
    options: dataOptions(
      numberOption('--partition <n>', 'only this partition'),
      numberOption('--from <offset>', 'the messages from this offset on, instead of the last ones'),
      numberOption('--limit <n>', 'maximum number of messages').default(20),
      new Option('--follow', 'keep printing new messages; with --json, one per line'),
    ),
    examples: ['log ordering.events --limit 5', 'log ordering.commands --follow'],
    load: async () => (await import('../commands/inspect/log.ts')).log,
  },
  {
    group: 'inspect',
    usage: 'replay <topic>',
    description: 'Prints the messages of a topic in order, one CloudEvent per line.',
    options: dataOptions(
      numberOption('--partition <n>', 'only this partition'),
      new Option('--from <position>', 'start at this offset, or at this storage time'),
      new Option('--to <position>', 'stop before this offset, or before this storage time'),
    ),
    examples: [
      'replay ordering.events > events.ndjson',
      'replay ordering.events --from 2026-11-01T00:00:00Z --to 2026-12-01',
      'replay ordering.events --partition 3 --from 20000',
    ],
    load: async () => (await import('../commands/inspect/replay.ts')).replay,
  },
  {
    group: 'inspect',
    usage: 'chain <event>',
    description:
      'Shows all messages of the conversation that a message belongs to, as a tree of causes.',
    options: dataOptions(),
    examples: ['chain 0199a5c2-7d1e-7000-8000-3f2d0c5b9a11'],
    load: async () => (await import('../commands/inspect/chain.ts')).chain,
  },
  {
    group: 'inspect',
    usage: 'ledger',
    description: `Lists the status of each event at each consumer, the newest event first: who created and
who processed it, when, and with which error. With --view payload, lists the bodies of messages; with
--view working_data, what services keep while an exchange is open.`,
    options: listOptions(
      new Option('--view <view>', 'only this view').choices([
        'inbound',
        'request',
        'response',
        'payload',
        'working_data',
      ]),
      new Option('--consumer <consumer>', 'only this consumer, as SERVICE/RULE'),
      new Option('--status <status>', 'only this status, such as FAILED'),
      new Option('--type <type>', 'only this message type, by its wire name'),
      new Option('--event <id>', 'only this event'),
      new Option('--key <key>', 'only this key'),
      new Option('--topic <topic>', 'only bodies of this topic, inside or outside'),
      new Option('--service <service>', 'only bodies from or to this service, or its working data'),
    ),
    examples: [
      'ledger --limit 20',
      'ledger --status FAILED',
      'ledger --view payload --topic REQUEST_TOPIC_A1 --json',
    ],
    load: async () => (await import('../commands/inspect/ledger.ts')).ledger,
  },
  {
    group: 'inspect',
    usage: 'held',
    description: `Lists the held keys: since when, behind which message, with which error, and when the next
attempt is due. With --key, prints the details and the stack.`,
    options: listOptions(
      new Option('--consumer <consumer>', 'only this consumer, as SERVICE/RULE'),
      new Option('--key <key>', 'only this key, with the stack of its error'),
    ),
    examples: ['held', 'held --consumer delivery/mail', 'held --key order-17'],
    load: async () => (await import('../commands/inspect/held.ts')).held,
  },
  {
    group: 'inspect',
    usage: 'sagas',
    description: 'Lists the open saga instances, and what each waits for.',
    options: listOptions(
      new Option('--saga <saga>', 'only this saga, as SERVICE/SAGA'),
      new Option('--operation <id>', 'only instances of this operation'),
    ),
    examples: ['sagas', 'sagas --saga ordering/fulfilment', 'sagas --operation ask-1'],
    load: async () => (await import('../commands/inspect/sagas.ts')).sagas,
  },
  {
    group: 'inspect',
    usage: 'operations',
    description: 'Lists the commands from outside with their state, newest first.',
    options: listOptions(
      new Option(
        '--state <state>',
        'pending, completed, refused, failed, finished, or a saga outcome',
      ),
      new Option('--key <key>', 'only commands with this key'),
      new Option('--type <type>', 'only commands whose wire name contains this text'),
      new Option('--since <time>', 'stored at this time or later, such as 2030-01-31T12:00:00Z'),
      new Option('--until <time>', 'stored before this time'),
    ),
    examples: ['operations --state pending', 'operations --type ordering.Place --limit 20 --json'],
    load: async () => (await import('../commands/inspect/operations.ts')).operations,
  },
  {
    group: 'inspect',
    usage: 'timers',
    description: 'Lists the timers that sagas have set, in due order.',
    options: listOptions(
      new Option('--saga <saga>', 'only this saga, as SERVICE/SAGA'),
      new Option('--until <time>', 'due before this time, such as 2030-01-31T12:00:00Z'),
    ),
    examples: ['timers', 'timers --saga ordering/fulfilment --until 2030-02-01T00:00:00Z'],
    load: async () => (await import('../commands/inspect/timers.ts')).timers,
  },
  {
    group: 'inspect',
    usage: 'account',
    description: `Shows what became of the events that each consumer has accepted. The exit code is 1 if the
counters of a consumer do not balance.`,
    options: dataOptions(),
    examples: ['account', 'account --json'],
    load: async () => (await import('../commands/inspect/account.ts')).account,
  },
  {
    group: 'inspect',
    usage: 'audit',
    description: 'Lists what operators have changed, newest first: when, who, what and why.',
    options: listOptions(
      new Option('--by <name>', 'only by this operator'),
      new Option('--verb <verb>', 'only this kind of change, such as pause or dead-redrive'),
    ),
    examples: ['audit', 'audit --verb dead-discard --limit 20'],
    load: async () => (await import('../commands/inspect/audit.ts')).audit,
  },
  {
    group: 'inspect',
    usage: 'contracts [name]',
    description: `Lists the stored commands and events with their versions; with a name, the schemas of one
contract or message. With --check, compares the contracts of a module with them: the exit code is 1
if a start would be refused.`,
    options: dataOptions(
      new Option('--check <file>', 'compare the services or contracts that this module exports'),
      new Option('--against <file>', 'compare with the output of --json instead of data'),
    ),
    examples: [
      'contracts',
      'contracts ordering.OrderPlaced',
      'contracts --check services.ts',
      'contracts --check contracts.ts --against contracts.json',
    ],
    load: async () => (await import('../commands/inspect/contracts.ts')).contracts,
  },
  {
    group: 'inspect',
    usage: 'describe',
    description: 'Shows the services and their rules, with the topics that they read and write.',
    options: dataOptions(),
    examples: ['describe', 'describe --json'],
    load: async () => (await import('../commands/inspect/describe.ts')).describe,
  },
  {
    group: 'inspect',
    usage: 'health',
    description: 'Shows the health of the system, with its alarms.',
    options: dataOptions(),
    examples: ['health', 'health --json'],
    load: async () => (await import('../commands/inspect/health.ts')).health,
  },
]
