// The commands with their flags and help. The code of a command is imported when it is called.
import { readFileSync } from 'node:fs'
import { Command as Parser, InvalidArgumentError, Option } from 'commander'
import type { Command, Flags } from './shared/command.ts'
import { EXIT_CODES } from './terminal/exit-codes.ts'
import { findData } from './shared/find-data.ts'
import { addHelp } from './parse.ts'
import type { Terminal } from './terminal/terminal.ts'

/** The groups of the help, each with its commands in the order of `commands`. */
const GROUPS = {
  run: 'Run services',
  inspect: 'Inspect a system and its data',
  operate: 'Operate a running system',
  maintain: 'Maintain the data',
  start: 'Projects and benchmarks',
} as const

type Group = keyof typeof GROUPS
const GROUP_NAMES = Object.keys(GROUPS) as readonly Group[]

interface CommandSpec {
  readonly group: Group
  readonly usage: string
  readonly description: string
  readonly options: readonly Option[]
  readonly examples: readonly string[]
  readonly load: () => Promise<Command>
  /** The command may create the directory of `--data`, so subdirectories are not searched. */
  readonly createsData?: boolean
}

function parseWhole(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

const numberOption = (flags: string, does: string): Option =>
  new Option(flags, does).argParser(parseWhole)
const jsonOption = (): Option => new Option('--json', 'print JSON, and errors as JSON on stderr')
const dataOption = (): Option => new Option('--data <dir>', 'the data directory').default('data')
const dataOptions = (...options: readonly Option[]): readonly Option[] => [
  dataOption(),
  ...options,
  jsonOption(),
]
const listOptions = (...options: readonly Option[]): readonly Option[] =>
  dataOptions(
    ...options,
    numberOption('--limit <n>', 'maximum number of items').default(100),
    new Option('--after <next>', 'continue a list from the `next` that it printed'),
  )
const offlineOption = (): Option =>
  new Option('--offline', 'without a running owner: open the data as its owner for this command')

const commands: readonly CommandSpec[] = [
  {
    group: 'run',
    usage: 'run <file>',
    description: `Runs the services that a module exports, with the gateway and the page. The module exports
\`services\`, and may export \`tools\`, \`routes\`, \`expose\`, \`boards\` and \`engine\`. Without
\`routes\` and \`expose\`, all contracts of the services are exposed.`,
    options: [
      dataOption(),
      numberOption('--port <n>', 'the port; 0 takes any free port').default(4400),
      new Option('--host <h>', 'listen on this address instead of loopback; needs --token'),
      new Option('--token <t>', 'require this token of every request, as Authorization: Bearer'),
      jsonOption(),
    ],
    examples: ['run services.ts', 'run services.js --data /var/lib/shop --port 8080'],
    load: async () => (await import('./commands/operate/run.ts')).run,
    createsData: true,
  },
  {
    group: 'inspect',
    usage: 'topics',
    description: 'Lists the topics with their record counts.',
    options: dataOptions(),
    examples: ['topics', 'topics --data .throughline/shop --json'],
    load: async () => (await import('./commands/inspect/topics.ts')).topics,
  },
  {
    group: 'inspect',
    usage: 'consumers [action] [consumer]',
    description: `Lists the consumers with their counters and their lag. With the action rewind, moves a
handler to another position in its topics.`,
    options: dataOptions(
      new Option('--to <position>', 'earliest, latest, an offset, or a time such as 2030-01-31'),
      new Option('--topic <topic>', 'rewind in this topic only'),
      numberOption('--partition <n>', 'rewind in this partition only'),
      offlineOption(),
    ),
    examples: ['consumers', 'consumers rewind delivery/mail --to 2030-01-31T12:00:00Z'],
    load: async () => (await import('./commands/inspect/consumers.ts')).consumers,
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
    load: async () => (await import('./commands/inspect/log.ts')).log,
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
    load: async () => (await import('./commands/inspect/replay.ts')).replay,
  },
  {
    group: 'inspect',
    usage: 'chain <event>',
    description:
      'Shows all messages of the conversation that a message belongs to, as a tree of causes.',
    options: dataOptions(),
    examples: ['chain 0199a5c2-7d1e-7000-8000-3f2d0c5b9a11'],
    load: async () => (await import('./commands/inspect/chain.ts')).chain,
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
    load: async () => (await import('./commands/inspect/held.ts')).held,
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
    load: async () => (await import('./commands/inspect/sagas.ts')).sagas,
  },
  {
    group: 'inspect',
    usage: 'operations',
    description: 'Lists the commands from outside with their state, newest first.',
    options: listOptions(
      new Option('--state <state>', 'pending, completed, refused, finished, or a saga outcome'),
      new Option('--key <key>', 'only commands with this key'),
      new Option('--type <type>', 'only commands whose wire name contains this text'),
      new Option('--since <time>', 'stored at this time or later, such as 2030-01-31T12:00:00Z'),
      new Option('--until <time>', 'stored before this time'),
    ),
    examples: ['operations --state pending', 'operations --type ordering.Place --limit 20 --json'],
    load: async () => (await import('./commands/inspect/operations.ts')).operations,
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
    load: async () => (await import('./commands/inspect/timers.ts')).timers,
  },
  {
    group: 'operate',
    usage: 'pause <service>',
    description: 'Pauses a service until it is resumed, also over restarts.',
    options: dataOptions(offlineOption()),
    examples: ['pause payment', 'pause payment --offline'],
    load: async () => (await import('./commands/operate/pause.ts')).pause,
  },
  {
    group: 'operate',
    usage: 'resume <service>',
    description: 'Resumes a paused service.',
    options: dataOptions(offlineOption()),
    examples: ['resume payment', 'resume payment --offline'],
    load: async () => (await import('./commands/operate/pause.ts')).resume,
  },
  {
    group: 'operate',
    usage: 'rebuild <file> <projection>',
    description: `Rebuilds the rows of a projection, SERVICE/PROJECTION, from the first event on, and then
replaces the live rows. The running owner does it; without an owner, the rules come from the module,
and nothing else of it runs.`,
    options: dataOptions(),
    examples: ['rebuild services.ts ordering/invoices', 'rebuild services.js shop/stock --json'],
    load: async () => (await import('./commands/operate/rebuild.ts')).rebuild,
  },
  {
    group: 'maintain',
    usage: 'verify',
    description: 'Reads all data and reports every inconsistency.',
    options: dataOptions(),
    examples: ['verify', 'verify --data backup --json'],
    load: async () => (await import('./commands/maintain/verify.ts')).verify,
  },
  {
    group: 'maintain',
    usage: 'repair',
    description: `Reports the damage in data without a running owner, rebuilds indexes, and lets consumers skip lost
records if you accept the loss.`,
    options: dataOptions(
      new Option(
        '--accept <partition...>',
        'let consumers skip the loss in TOPIC/PARTITION, or in all',
      ),
      new Option('--reset-high-water', 'write a new high-water mark if it is missing or damaged'),
    ),
    examples: ['repair', 'repair --accept ordering.events/3', 'repair --reset-high-water --json'],
    load: async () => (await import('./commands/maintain/repair.ts')).repair,
  },
  {
    group: 'maintain',
    usage: 'salvage',
    description:
      'Writes every readable record to a file, one per line, even from data that cannot be opened.',
    options: dataOptions(new Option('--to <file>', 'the file, which must not exist')),
    examples: ['salvage --to saved.ndjson'],
    load: async () => (await import('./commands/maintain/salvage.ts')).salvage,
  },
  {
    group: 'maintain',
    usage: 'backup <directory>',
    description: 'Copies all data into a new directory. The owner keeps running.',
    options: dataOptions(),
    examples: ['backup /var/backups/shop-monday', 'backup ../monday --data .throughline/shop'],
    load: async () => (await import('./commands/maintain/backup.ts')).backup,
  },
  {
    group: 'maintain',
    usage: 'restore <backup>',
    description: 'Creates a new data directory from a backup, after checking every byte of it.',
    options: dataOptions(),
    examples: ['restore /var/backups/shop-monday --data .throughline/shop'],
    load: async () => (await import('./commands/maintain/restore.ts')).restore,
    createsData: true,
  },
  {
    group: 'maintain',
    usage: 'archive <topic>',
    description: 'Moves the old messages of a topic into files, from which they are still read.',
    options: dataOptions(
      new Option('--before <position>', 'end at this offset or time').makeOptionMandatory(),
      new Option('--to <dir>', 'the directory for the files').makeOptionMandatory(),
      offlineOption(),
    ),
    examples: ['archive ordering.events --before 2026-01-01 --to /mnt/archive'],
    load: async () => (await import('./commands/maintain/archive.ts')).archive,
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
    load: async () => (await import('./commands/inspect/contracts.ts')).contracts,
  },
  {
    group: 'inspect',
    usage: 'describe',
    description: 'Shows the services and their rules, with the topics that they read and write.',
    options: dataOptions(),
    examples: ['describe', 'describe --json'],
    load: async () => (await import('./commands/inspect/describe.ts')).describe,
  },
  {
    group: 'inspect',
    usage: 'health',
    description: 'Shows the health of the system, with its alarms.',
    options: dataOptions(),
    examples: ['health', 'health --json'],
    load: async () => (await import('./commands/inspect/health.ts')).health,
  },
  {
    group: 'start',
    usage: 'bench',
    description:
      'Measures the engine on a disk: fsync, appends, end-to-end throughput and latency.',
    options: [
      new Option('--directory <dir>', 'where to measure; all files are removed').default('.'),
      numberOption('--seconds <n>', 'duration of each measurement').default(3),
      jsonOption(),
    ],
    examples: ['bench', 'bench --directory /var/lib --seconds 10 --json'],
    load: async () => (await import('./commands/bench.ts')).bench,
  },
  {
    group: 'start',
    usage: 'init [directory]',
    description: 'Writes a small project that is ready to run.',
    options: [
      new Option('--js', 'write JavaScript instead of TypeScript'),
      new Option('--name <name>', 'the name of the package; default: the name of the directory'),
      jsonOption(),
    ],
    examples: ['init reading-room', 'init --js --name reading-room'],
    load: async () => (await import('./commands/init.ts')).init,
  },
]

const exits = Object.values(EXIT_CODES)
  .map(({ code, meaning }) => `  ${String(code).padStart(2)}  ${meaning}`)
  .join('\n')

const FOOTER = `
Commands that read data ask its running owner; without an owner, they open it read-only.

Exit codes:
${exits}`

const HELP_WIDTH = 100

export interface ProgramOptions {
  readonly terminal: Terminal
  /** Called with the errors of the arguments. */
  readonly onUsageError: (text: string) => void
  readonly onExitCode: (exitCode: number) => void
}

/** Creates the parser. It throws commander's errors, for help as well as for wrong usage. */
export function program({ terminal, onUsageError, onExitCode }: ProgramOptions): Parser {
  const parser = new Parser('throughline')
    .description('Runs and inspects event-driven services.')
    .version(versionOf(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({
      writeOut: (text) => terminal.print(text.replace(/\n$/, '')),
      writeErr: onUsageError,
      getOutHelpWidth: () => Math.min(terminal.columns ?? HELP_WIDTH, HELP_WIDTH),
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', FOOTER)
  for (const group of GROUP_NAMES)
    for (const spec of commands)
      if (spec.group === group) addCommand(parser, spec, terminal, onExitCode)
  addHelp(parser, headingOf('start'))
  return parser
}

const headingOf = (group: Group): string => `${GROUPS[group]}:`

function addCommand(
  parser: Parser,
  { group, usage, description: does, options, examples, load, createsData = false }: CommandSpec,
  terminal: Terminal,
  ended: ProgramOptions['onExitCode'],
): void {
  const description = does.replaceAll(/\s+/g, ' ')
  const own = parser.command(usage).description(description)
  own.summary(description.split(/[.:]/)[0] ?? description).helpGroup(headingOf(group))
  for (const option of options) own.addOption(option)
  const shown = examples.map((example) => `  throughline ${example}`).join('\n')
  own.addHelpText('after', `\nExamples:\n${shown}\n\nExit codes:\n${exits}`)
  own.action(async () => {
    const run = await load()
    const asked = { terminal, args: own.args, flags: own.opts<Flags>() }
    ended(await run(createsData ? asked : findData(asked)))
  })
}

function versionOf(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
