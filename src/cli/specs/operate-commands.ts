import { Option } from 'commander'
import type { CommandSpec } from './options.ts'
import { dataOption, jsonOption, numberOption, offlineOption, writeOptions } from './options.ts'

/** The commands that run services, or change what they do. */
export const operateCommands: readonly CommandSpec[] = [
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
    load: async () => (await import('../commands/operate/run.ts')).run,
    createsData: true,
  },
  {
    group: 'operate',
    usage: 'pause <service>',
    description: 'Pauses a service until it is resumed, also over restarts.',
    options: writeOptions(offlineOption()),
    examples: ['pause payment', 'pause payment --offline'],
    load: async () => (await import('../commands/operate/pause.ts')).pause,
  },
  {
    group: 'operate',
    usage: 'resume <service>',
    description: 'Resumes a paused service.',
    options: writeOptions(offlineOption()),
    examples: ['resume payment', 'resume payment --offline'],
    load: async () => (await import('../commands/operate/pause.ts')).resume,
  },
  {
    group: 'operate',
    usage: 'rebuild <file> <projection>',
    description: `Rebuilds the rows of a projection, SERVICE/PROJECTION, from the first event on, and then
replaces the live rows. The running owner does it; without an owner, the rules come from the module,
and nothing else of it runs.`,
    options: writeOptions(),
    examples: ['rebuild services.ts ordering/invoices', 'rebuild services.js shop/stock --json'],
    load: async () => (await import('../commands/operate/rebuild.ts')).rebuild,
  },
  {
    group: 'operate',
    usage: 'dead [action] [id]',
    description: `Lists dead letters, and handles them. The actions are list, causes, show, preview, redrive,
discard, edit and undo-edit. An id selects one message; flags select several. Redrive and discard show
what they would do, and ask first on a terminal.`,
    options: writeOptions(
      new Option('--consumer <consumer>', 'only at this consumer, as SERVICE/RULE'),
      new Option('--key <key>', 'only messages with this key'),
      new Option('--type <type>', 'only messages of this type, by wire name'),
      new Option('--cause <cause>', 'only with this cause, as the action causes prints it'),
      new Option('--since <time>', 'failed at this time or later, such as 2030-01-31T12:00:00Z'),
      new Option('--until <time>', 'failed before this time'),
      new Option('--all', 'redrive or discard all; needed if nothing else selects some'),
      numberOption('--per-second <n>', 'redrive or discard at most this many messages per second'),
      new Option('--new-data <file|json>', 'edit: the whole new data, as a file or as JSON'),
      new Option('--yes', 'do not ask'),
      numberOption('--limit <n>', 'maximum number of items of a list').default(100),
      new Option('--after <next>', 'continue a list from the `next` that it printed'),
      offlineOption(),
    ),
    examples: [
      'dead causes',
      'dead list --consumer delivery/mail',
      'dead show 0199a5c2-7d1e-7000-8000-3f2d0c5b9a11',
      'dead redrive --cause 3f2d0c5b9a11 --per-second 50',
      'dead discard order-17 --reason "the order was cancelled by phone"',
      'dead edit order-17 --new-data order-17.json',
    ],
    load: async () => (await import('../commands/operate/dead.ts')).dead,
  },
]
