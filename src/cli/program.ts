// The commands with their flags and help. The code of a command is imported when it is called.
import { readFileSync } from 'node:fs'
import { Command as Parser, InvalidArgumentError, Option } from 'commander'
import type { Command, Flags } from './command.ts'
import { EXITS } from './exits.ts'
import { findData } from './find-data.ts'
import { addHelp } from './parse.ts'
import type { Terminal } from './terminal.ts'

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
  readonly does: string
  readonly options: readonly Option[]
  readonly examples: readonly string[]
  readonly command: () => Promise<Command>
  /** The command may create the directory of `--data`, so subdirectories are not searched. */
  readonly makesData?: boolean
}

function whole(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

const number = (flags: string, does: string): Option => new Option(flags, does).argParser(whole)
const json = (): Option => new Option('--json', 'print JSON, and errors as JSON on stderr')
const data = (): Option => new Option('--data <dir>', 'the data directory').default('data')
const reading = (...options: readonly Option[]): readonly Option[] => [data(), ...options, json()]
const listing = (...options: readonly Option[]): readonly Option[] =>
  reading(
    ...options,
    number('--limit <n>', 'maximum number of items').default(100),
    new Option('--after <next>', 'continue a list from the `next` that it printed'),
  )
const offline = (): Option =>
  new Option('--offline', 'without a running owner: open the data as its owner for this command')

const commands: readonly CommandSpec[] = [
  {
    group: 'run',
    usage: 'run <file>',
    does: `Runs the services that a module exports, with the gateway and the page. The module exports
\`services\`, and may export \`tools\`, \`routes\`, \`expose\`, \`boards\` and \`engine\`. Without
\`routes\` and \`expose\`, all contracts of the services are exposed.`,
    options: [
      data(),
      number('--port <n>', 'the port; 0 takes any free port').default(4400),
      new Option('--host <h>', 'listen on this address instead of loopback; needs --token'),
      new Option('--token <t>', 'require this token of every request, as Authorization: Bearer'),
      json(),
    ],
    examples: ['run services.ts', 'run services.js --data /var/lib/shop --port 8080'],
    command: async () => (await import('./commands/run.ts')).run,
    makesData: true,
  },
  {
    group: 'inspect',
    usage: 'topics',
    does: 'Lists the topics with their record counts.',
    options: reading(),
    examples: ['topics', 'topics --data .throughline/shop --json'],
    command: async () => (await import('./commands/topics.ts')).topics,
  },
  {
    group: 'inspect',
    usage: 'consumers [action] [consumer]',
    does: `Lists the consumers with their counters and their lag. With the action rewind, moves a
handler to another position in its topics.`,
    options: reading(
      new Option('--to <position>', 'earliest, latest, an offset, or a time such as 2030-01-31'),
      new Option('--topic <topic>', 'rewind in this topic only'),
      number('--partition <n>', 'rewind in this partition only'),
      offline(),
    ),
    examples: ['consumers', 'consumers rewind delivery/mail --to 2030-01-31T12:00:00Z'],
    command: async () => (await import('./commands/groups.ts')).groups,
  },
  {
    group: 'inspect',
    usage: 'log <topic>',
    does: 'Prints the last messages of a topic, in order of time.',
    options: reading(
      number('--partition <n>', 'only this partition'),
      number('--from <offset>', 'the messages from this offset on, instead of the last ones'),
      number('--limit <n>', 'maximum number of messages').default(20),
      new Option('--follow', 'keep printing new messages; with --json, one per line'),
    ),
    examples: ['log ordering.events --limit 5', 'log ordering.commands --follow'],
    command: async () => (await import('./commands/log.ts')).log,
  },
  {
    group: 'inspect',
    usage: 'replay <topic>',
    does: 'Prints the messages of a topic in order, one CloudEvent per line.',
    options: reading(
      number('--partition <n>', 'only this partition'),
      new Option('--from <position>', 'start at this offset, or at this storage time'),
      new Option('--to <position>', 'stop before this offset, or before this storage time'),
    ),
    examples: [
      'replay ordering.events > events.ndjson',
      'replay ordering.events --from 2026-11-01T00:00:00Z --to 2026-12-01',
      'replay ordering.events --partition 3 --from 20000',
    ],
    command: async () => (await import('./commands/replay.ts')).replay,
  },
  {
    group: 'inspect',
    usage: 'chain <event>',
    does: 'Shows all messages of the conversation that a message belongs to, as a tree of causes.',
    options: reading(),
    examples: ['chain 0199a5c2-7d1e-7000-8000-3f2d0c5b9a11'],
    command: async () => (await import('./commands/chain.ts')).chain,
  },
  {
    group: 'inspect',
    usage: 'held',
    does: `Lists the held keys: since when, behind which message, with which error, and when the next
attempt is due. With --key, prints the details and the stack.`,
    options: listing(
      new Option('--consumer <consumer>', 'only this consumer, as SERVICE/RULE'),
      new Option('--key <key>', 'only this key, with the stack of its error'),
    ),
    examples: ['held', 'held --consumer delivery/mail', 'held --key order-17'],
    command: async () => (await import('./commands/held.ts')).held,
  },
  {
    group: 'inspect',
    usage: 'sagas',
    does: 'Lists the open saga instances, and what each waits for.',
    options: listing(
      new Option('--saga <saga>', 'only this saga, as SERVICE/SAGA'),
      new Option('--operation <id>', 'only instances of this operation'),
    ),
    examples: ['sagas', 'sagas --saga ordering/fulfilment', 'sagas --operation ask-1'],
    command: async () => (await import('./commands/sagas.ts')).sagas,
  },
  {
    group: 'inspect',
    usage: 'operations',
    does: 'Lists the commands from outside with their state, newest first.',
    options: listing(
      new Option('--state <state>', 'pending, completed, refused, finished, or a saga outcome'),
      new Option('--key <key>', 'only commands with this key'),
      new Option('--type <type>', 'only commands whose wire name contains this text'),
      new Option('--since <time>', 'stored at this time or later, such as 2030-01-31T12:00:00Z'),
      new Option('--until <time>', 'stored before this time'),
    ),
    examples: ['operations --state pending', 'operations --type ordering.Place --limit 20 --json'],
    command: async () => (await import('./commands/operations.ts')).operations,
  },
  {
    group: 'inspect',
    usage: 'timers',
    does: 'Lists the timers that sagas have set, in due order.',
    options: listing(
      new Option('--saga <saga>', 'only this saga, as SERVICE/SAGA'),
      new Option('--until <time>', 'due before this time, such as 2030-01-31T12:00:00Z'),
    ),
    examples: ['timers', 'timers --saga ordering/fulfilment --until 2030-02-01T00:00:00Z'],
    command: async () => (await import('./commands/timers.ts')).timers,
  },
  {
    group: 'operate',
    usage: 'pause <service>',
    does: 'Pauses a service until it is resumed, also over restarts.',
    options: reading(offline()),
    examples: ['pause payment', 'pause payment --offline'],
    command: async () => (await import('./commands/pauses.ts')).pause,
  },
  {
    group: 'operate',
    usage: 'resume <service>',
    does: 'Resumes a paused service.',
    options: reading(offline()),
    examples: ['resume payment', 'resume payment --offline'],
    command: async () => (await import('./commands/pauses.ts')).resume,
  },
  {
    group: 'operate',
    usage: 'rebuild <file> <projection>',
    does: `Rebuilds the rows of a projection, SERVICE/PROJECTION, from the first event on, and then
replaces the live rows. The running owner does it; without an owner, the rules come from the module,
and nothing else of it runs.`,
    options: reading(),
    examples: ['rebuild services.ts ordering/invoices', 'rebuild services.js shop/stock --json'],
    command: async () => (await import('./commands/rebuild.ts')).rebuild,
  },
  {
    group: 'maintain',
    usage: 'verify',
    does: 'Reads all data and reports every inconsistency.',
    options: reading(),
    examples: ['verify', 'verify --data backup --json'],
    command: async () => (await import('./commands/verify.ts')).verify,
  },
  {
    group: 'maintain',
    usage: 'repair',
    does: `Reports the damage in data without a running owner, rebuilds indexes, and lets consumers skip lost
records if you accept the loss.`,
    options: reading(
      new Option(
        '--accept <partition...>',
        'let consumers skip the loss in TOPIC/PARTITION, or in all',
      ),
      new Option('--reset-high-water', 'write a new high-water mark if it is missing or damaged'),
    ),
    examples: ['repair', 'repair --accept ordering.events/3', 'repair --reset-high-water --json'],
    command: async () => (await import('./commands/repair.ts')).repair,
  },
  {
    group: 'maintain',
    usage: 'salvage',
    does: 'Writes every readable record to a file, one per line, even from data that cannot be opened.',
    options: reading(new Option('--to <file>', 'the file, which must not exist')),
    examples: ['salvage --to saved.ndjson'],
    command: async () => (await import('./commands/salvage.ts')).salvage,
  },
  {
    group: 'maintain',
    usage: 'backup <directory>',
    does: 'Copies all data into a new directory. The owner keeps running.',
    options: reading(),
    examples: ['backup /var/backups/shop-monday', 'backup ../monday --data .throughline/shop'],
    command: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    group: 'maintain',
    usage: 'restore <backup>',
    does: 'Creates a new data directory from a backup, after checking every byte of it.',
    options: reading(),
    examples: ['restore /var/backups/shop-monday --data .throughline/shop'],
    command: async () => (await import('./commands/restore.ts')).restore,
    makesData: true,
  },
  {
    group: 'maintain',
    usage: 'archive <topic>',
    does: 'Moves the old messages of a topic into files, from which they are still read.',
    options: reading(
      new Option('--before <position>', 'end at this offset or time').makeOptionMandatory(),
      new Option('--to <dir>', 'the directory for the files').makeOptionMandatory(),
      offline(),
    ),
    examples: ['archive ordering.events --before 2026-01-01 --to /mnt/archive'],
    command: async () => (await import('./commands/archive.ts')).archive,
  },
  {
    group: 'inspect',
    usage: 'contracts [name]',
    does: `Lists the stored commands and events with their versions; with a name, the schemas of one
contract or message. With --check, compares the contracts of a module with them: the exit code is 1
if a start would be refused.`,
    options: reading(
      new Option('--check <file>', 'compare the services or contracts that this module exports'),
      new Option('--against <file>', 'compare with the output of --json instead of data'),
    ),
    examples: [
      'contracts',
      'contracts ordering.OrderPlaced',
      'contracts --check services.ts',
      'contracts --check contracts.ts --against contracts.json',
    ],
    command: async () => (await import('./commands/contracts.ts')).contracts,
  },
  {
    group: 'inspect',
    usage: 'describe',
    does: 'Shows the services and their rules, with the topics that they read and write.',
    options: reading(),
    examples: ['describe', 'describe --json'],
    command: async () => (await import('./commands/describe.ts')).describe,
  },
  {
    group: 'inspect',
    usage: 'health',
    does: 'Shows the health of the system, with its alarms.',
    options: reading(),
    examples: ['health', 'health --json'],
    command: async () => (await import('./commands/health.ts')).health,
  },
  {
    group: 'start',
    usage: 'bench',
    does: 'Measures the engine on a disk: fsync, appends, end-to-end throughput and latency.',
    options: [
      new Option('--directory <dir>', 'where to measure; all files are removed').default('.'),
      number('--seconds <n>', 'duration of each measurement').default(3),
      json(),
    ],
    examples: ['bench', 'bench --directory /var/lib --seconds 10 --json'],
    command: async () => (await import('./commands/bench.ts')).bench,
  },
  {
    group: 'start',
    usage: 'init [directory]',
    does: 'Writes a small project that is ready to run.',
    options: [
      new Option('--js', 'write JavaScript instead of TypeScript'),
      new Option('--name <name>', 'the name of the package; default: the name of the directory'),
      json(),
    ],
    examples: ['init reading-room', 'init --js --name reading-room'],
    command: async () => (await import('./commands/init.ts')).init,
  },
]

const exits = Object.values(EXITS)
  .map(({ code, meaning }) => `  ${String(code).padStart(2)}  ${meaning}`)
  .join('\n')

const AFTER = `
Commands that read data ask its running owner; without an owner, they open it read-only.

Exit codes:
${exits}`

const HELP_WIDTH = 100

export interface ProgramParts {
  readonly terminal: Terminal
  /** Called with the errors of the arguments. */
  readonly complain: (text: string) => void
  readonly ended: (exitCode: number) => void
}

/** Creates the parser. It throws commander's errors, for help as well as for wrong usage. */
export function program({ terminal, complain, ended }: ProgramParts): Parser {
  const parser = new Parser('throughline')
    .description('Runs and inspects event-driven services.')
    .version(versionOf(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureOutput({
      writeOut: (text) => terminal.print(text.replace(/\n$/, '')),
      writeErr: complain,
      getOutHelpWidth: () => Math.min(terminal.columns ?? HELP_WIDTH, HELP_WIDTH),
      getErrHelpWidth: () => HELP_WIDTH,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', AFTER)
  for (const group of GROUP_NAMES)
    for (const spec of commands) if (spec.group === group) add(parser, spec, terminal, ended)
  addHelp(parser, headingOf('start'))
  return parser
}

const headingOf = (group: Group): string => `${GROUPS[group]}:`

function add(
  parser: Parser,
  { group, usage, does, options, examples, command, makesData = false }: CommandSpec,
  terminal: Terminal,
  ended: ProgramParts['ended'],
): void {
  const description = does.replaceAll(/\s+/g, ' ')
  const own = parser.command(usage).description(description)
  own.summary(description.split(/[.:]/)[0] ?? description).helpGroup(headingOf(group))
  for (const option of options) own.addOption(option)
  const shown = examples.map((example) => `  throughline ${example}`).join('\n')
  own.addHelpText('after', `\nExamples:\n${shown}\n\nExit codes:\n${exits}`)
  own.action(async () => {
    const run = await command()
    const asked = { terminal, args: own.args, flags: own.opts<Flags>() }
    ended(await run(makesData ? asked : findData(asked)))
  })
}

function versionOf(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
