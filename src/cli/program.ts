// The commands, their flags and their help. What they do is imported when they are called.
import { readFileSync } from 'node:fs'
import { Command as Parser, InvalidArgumentError, Option } from 'commander'
import type { Command, Flags } from './command.ts'
import { EXITS } from './exits.ts'
import { findData } from './find-data.ts'
import { addHelp } from './parse.ts'
import type { Terminal } from './terminal.ts'

/** How the help lists the commands: group by group, each in the order of `commands`. */
const GROUPS = {
  run: 'Run services',
  look: 'Look at what runs, and at its data',
  change: 'Change what runs',
  keep: 'Keep the data',
  begin: 'Begin, and measure',
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
  /** It may make the directory that `--data` names, so none is looked for below it. */
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
    number('--limit <n>', 'how many').default(100),
    new Option('--after <next>', 'go on where a list ended, which it said as its next'),
  )
const offline = (): Option =>
  new Option('--offline', 'where nobody runs it: open the data as its owner for that long')

const commands: readonly CommandSpec[] = [
  {
    group: 'run',
    usage: 'run <file>',
    does: `Runs the services that a module exports, and serves them and the page. The module exports
\`services\`, and may export \`tools\`, \`routes\`, \`opens\`, \`boards\` and
\`engine\`. Without \`routes\` and \`opens\`, all contracts of the services are open.`,
    options: [
      data(),
      number('--port <n>', 'the port; 0 takes any that is free').default(4400),
      new Option('--host <h>', 'the address to listen on, other than this machine; needs a token'),
      new Option('--token <t>', 'what every request must carry, as Authorization: Bearer'),
      json(),
    ],
    examples: ['run services.ts', 'run services.js --data /var/lib/shop --port 8080'],
    command: async () => (await import('./commands/run.ts')).run,
    makesData: true,
  },
  {
    group: 'look',
    usage: 'topics',
    does: 'Lists the topics and what they hold.',
    options: reading(),
    examples: ['topics', 'topics --data .throughline/shop --json'],
    command: async () => (await import('./commands/topics.ts')).topics,
  },
  {
    group: 'look',
    usage: 'groups [action] [rule]',
    does: `Lists the consumers: what each rule has done, and what it has yet to read. With the action
rewind it has a handler begin again elsewhere in its topics.`,
    options: reading(
      new Option(
        '--to <where>',
        'rewind to earliest, latest, an offset, or a time like 2030-01-31',
      ),
      new Option('--topic <topic>', 'rewind in this topic only'),
      number('--partition <n>', 'rewind in this partition only'),
      offline(),
    ),
    examples: ['groups', 'groups --json', 'groups rewind delivery/mail --to 2030-01-31T12:00:00Z'],
    command: async () => (await import('./commands/groups.ts')).groups,
  },
  {
    group: 'look',
    usage: 'log <topic>',
    does: 'Prints the last messages of a topic, in order of time.',
    options: reading(
      number('--partition <n>', 'only this partition'),
      number('--from <offset>', 'on from this offset, in place of the last ones'),
      number('--limit <n>', 'how many messages').default(20),
      new Option('--follow', 'then print what comes; with --json, one message a line'),
    ),
    examples: ['log ordering.events --limit 5', 'log ordering.commands --follow'],
    command: async () => (await import('./commands/log.ts')).log,
  },
  {
    group: 'look',
    usage: 'replay <topic>',
    does: 'Prints the messages of a topic in order, each as a CloudEvent on a line of its own.',
    options: reading(
      number('--partition <n>', 'only this partition'),
      new Option('--from <place>', 'the first one: an offset, or the time at which it was stored'),
      new Option('--to <place>', 'the first one that is not printed any more, in the same way'),
    ),
    examples: [
      'replay ordering.events > events.ndjson',
      'replay ordering.events --from 2026-11-01T00:00:00Z --to 2026-12-01',
      'replay ordering.events --partition 3 --from 20000',
    ],
    command: async () => (await import('./commands/replay.ts')).replay,
  },
  {
    group: 'look',
    usage: 'chain <event>',
    does: 'Shows the whole conversation that a message belongs to, as a tree of causes.',
    options: reading(),
    examples: ['chain 0199a5c2-7d1e-7000-8000-3f2d0c5b9a11'],
    command: async () => (await import('./commands/chain.ts')).chain,
  },
  {
    group: 'look',
    usage: 'held',
    does: `Lists the keys that are held: since when, behind which message, with which error, and when
they are tried again. With --key, all of it, and the stack.`,
    options: listing(
      new Option('--consumer <rule>', 'only of this consumer, as SERVICE/RULE'),
      new Option('--key <key>', 'only this key, with the stack of its error'),
    ),
    examples: ['held', 'held --consumer delivery/mail', 'held --key order-17'],
    command: async () => (await import('./commands/held.ts')).held,
  },
  {
    group: 'look',
    usage: 'sagas',
    does: 'Lists the instances of sagas that have not finished, and what each waits for.',
    options: listing(
      new Option('--saga <rule>', 'only of this saga, as SERVICE/RULE'),
      new Option('--operation <id>', 'only of the conversation that this command began'),
    ),
    examples: ['sagas', 'sagas --saga ordering/fulfilment', 'sagas --operation ask-1'],
    command: async () => (await import('./commands/sagas.ts')).sagas,
  },
  {
    group: 'look',
    usage: 'operations',
    does: 'Lists the commands from outside, the newest first, and where each stands.',
    options: listing(
      new Option(
        '--state <state>',
        'pending, completed, refused, finished, or what a saga finished with',
      ),
      new Option('--key <key>', 'only of this key'),
      new Option('--type <type>', 'only commands of this wire name'),
      new Option('--since <time>', 'stored at this time or later, such as 2030-01-31T12:00:00Z'),
      new Option('--until <time>', 'stored before this time'),
    ),
    examples: ['operations --state pending', 'operations --type ordering.Place --limit 20 --json'],
    command: async () => (await import('./commands/operations.ts')).operations,
  },
  {
    group: 'look',
    usage: 'timers',
    does: 'Lists the timers that sagas have set, in the order in which they are due.',
    options: listing(
      new Option('--saga <rule>', 'only of this saga, as SERVICE/RULE'),
      new Option('--until <time>', 'due before this time, such as 2030-01-31T12:00:00Z'),
    ),
    examples: ['timers', 'timers --saga ordering/fulfilment --until 2030-02-01T00:00:00Z'],
    command: async () => (await import('./commands/timers.ts')).timers,
  },
  {
    group: 'change',
    usage: 'pause <service>',
    does: 'Has a service take nothing more until it is resumed, also over restarts.',
    options: reading(offline()),
    examples: ['pause payment', 'pause payment --offline'],
    command: async () => (await import('./commands/pauses.ts')).pause,
  },
  {
    group: 'change',
    usage: 'resume <service>',
    does: 'Has a paused service go on.',
    options: reading(offline()),
    examples: ['resume payment', 'resume payment --offline'],
    command: async () => (await import('./commands/pauses.ts')).resume,
  },
  {
    group: 'change',
    usage: 'rebuild <file> <projection>',
    does: `Makes the rows of a projection, SERVICE/PROJECTION, anew from the first event on, and has
them take the place of the live ones. Asks the running owner; where there is none, it takes the
rules from the module, and runs nothing else of it.`,
    options: reading(),
    examples: ['rebuild services.ts ordering/invoices', 'rebuild services.js shop/stock --json'],
    command: async () => (await import('./commands/rebuild.ts')).rebuild,
  },
  {
    group: 'keep',
    usage: 'verify',
    does: 'Reads everything, and says what is not as it must be.',
    options: reading(),
    examples: ['verify', 'verify --data backup --json'],
    command: async () => (await import('./commands/verify.ts')).verify,
  },
  {
    group: 'keep',
    usage: 'repair',
    does: `Says what is damaged in data that nobody runs, makes indexes anew, and lets readers pass
what is lost where you accept that.`,
    options: reading(
      new Option('--accept <place...>', 'TOPIC/PARTITION, or all: readers pass it and are told'),
      new Option('--mark-lost', 'make the high-water mark anew where it is gone'),
    ),
    examples: ['repair', 'repair --accept ordering.events/3', 'repair --mark-lost --json'],
    command: async () => (await import('./commands/repair.ts')).repair,
  },
  {
    group: 'keep',
    usage: 'salvage',
    does: 'Writes every record that can still be read to a file, one a line, from data that is too damaged to open.',
    options: reading(new Option('--to <file>', 'the file; must not be there yet')),
    examples: ['salvage --to saved.ndjson'],
    command: async () => (await import('./commands/salvage.ts')).salvage,
  },
  {
    group: 'keep',
    usage: 'backup <directory>',
    does: 'Copies all data into a new directory, while its owner goes on.',
    options: reading(),
    examples: ['backup /var/backups/shop-monday', 'backup ../monday --data .throughline/shop'],
    command: async () => (await import('./commands/backup.ts')).backup,
  },
  {
    group: 'keep',
    usage: 'restore <backup>',
    does: 'Makes a new data directory of a backup, once every byte of it is as it was written.',
    options: reading(),
    examples: ['restore /var/backups/shop-monday --data .throughline/shop'],
    command: async () => (await import('./commands/restore.ts')).restore,
    makesData: true,
  },
  {
    group: 'keep',
    usage: 'archive <topic>',
    does: 'Moves the old messages of a topic into files, and reads them from there.',
    options: reading(
      new Option(
        '--before <place>',
        'what lies before goes: an offset, or a time',
      ).makeOptionMandatory(),
      new Option('--to <dir>', 'the directory for the files').makeOptionMandatory(),
      offline(),
    ),
    examples: ['archive ordering.events --before 2026-01-01 --to /mnt/archive'],
    command: async () => (await import('./commands/archive.ts')).archive,
  },
  {
    group: 'look',
    usage: 'contracts [name]',
    does: `Lists the commands and events that are stored, with their versions; those of one
contract, or one of them, with every schema. With --check, compares what a module exports with them:
the exit code is 1 where a start would be refused.`,
    options: reading(
      new Option('--check <file>', 'compare the services or contracts that this module exports'),
      new Option('--against <file>', 'a file that --json printed, in place of data'),
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
    group: 'look',
    usage: 'describe',
    does: 'Shows the services, their rules, and what they read and write.',
    options: reading(),
    examples: ['describe', 'describe --json'],
    command: async () => (await import('./commands/describe.ts')).describe,
  },
  {
    group: 'look',
    usage: 'health',
    does: 'Says how the system is.',
    options: reading(),
    examples: ['health', 'health --json'],
    command: async () => (await import('./commands/health.ts')).health,
  },
  {
    group: 'begin',
    usage: 'bench',
    does: 'Measures how fast the engine is on a disk: syncs, appends, whole ways, latency.',
    options: [
      new Option('--directory <dir>', 'where to measure; nothing is left there').default('.'),
      number('--seconds <n>', 'how long each of the measurements takes').default(3),
      json(),
    ],
    examples: ['bench', 'bench --directory /var/lib --seconds 10 --json'],
    command: async () => (await import('./commands/bench.ts')).bench,
  },
  {
    group: 'begin',
    usage: 'init [directory]',
    does: 'Writes a small project that runs.',
    options: [
      new Option('--js', 'JavaScript in place of TypeScript'),
      new Option('--name <name>', 'the name of the package; default: that of the directory'),
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
Commands that look at data ask its running owner, else they open it for reading.

Exit codes:
${exits}`

const HELP_WIDTH = 100

export interface ProgramParts {
  readonly terminal: Terminal
  /** Hears what is wrong with the arguments. */
  readonly complain: (text: string) => void
  readonly ended: (exitCode: number) => void
}

/** The whole command line. It throws what commander throws, for help and wrong usage alike. */
export function program({ terminal, complain, ended }: ProgramParts): Parser {
  const parser = new Parser('throughline')
    .description('Runs event-driven services, and shows what goes on inside them.')
    .version(versionOf(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError('(--help says more)')
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
  addHelp(parser, headingOf('begin'))
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
