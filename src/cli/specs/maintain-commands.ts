import { Option } from 'commander'
import type { CommandSpec } from './options.ts'
import { dataOptions, jsonOption, numberOption, offlineOption, writeOptions } from './options.ts'

/** The commands for the data as a whole, and for projects. */
export const maintainCommands: readonly CommandSpec[] = [
  {
    group: 'maintain',
    usage: 'verify',
    description: 'Reads all data and reports every inconsistency.',
    options: dataOptions(),
    examples: ['verify', 'verify --data backup --json'],
    load: async () => (await import('../commands/maintain/verify.ts')).verify,
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
    load: async () => (await import('../commands/maintain/repair.ts')).repair,
  },
  {
    group: 'maintain',
    usage: 'salvage',
    description:
      'Writes every readable record to a file, one per line, even from data that cannot be opened.',
    options: dataOptions(new Option('--to <file>', 'the file, which must not exist')),
    examples: ['salvage --to saved.ndjson'],
    load: async () => (await import('../commands/maintain/salvage.ts')).salvage,
  },
  {
    group: 'maintain',
    usage: 'backup <directory>',
    description: 'Copies all data into a new directory. The owner keeps running.',
    options: writeOptions(),
    examples: ['backup /var/backups/shop-monday', 'backup ../monday --data .throughline/shop'],
    load: async () => (await import('../commands/maintain/backup.ts')).backup,
  },
  {
    group: 'maintain',
    usage: 'restore <backup>',
    description: 'Creates a new data directory from a backup, after checking every byte of it.',
    options: dataOptions(),
    examples: ['restore /var/backups/shop-monday --data .throughline/shop'],
    load: async () => (await import('../commands/maintain/restore.ts')).restore,
    createsData: true,
  },
  {
    group: 'maintain',
    usage: 'archive <topic>',
    description: 'Moves the old messages of a topic into files, from which they are still read.',
    options: writeOptions(
      new Option('--before <position>', 'end at this offset or time').makeOptionMandatory(),
      new Option('--to <dir>', 'the directory for the files').makeOptionMandatory(),
      offlineOption(),
    ),
    examples: ['archive ordering.events --before 2026-01-01 --to /mnt/archive'],
    load: async () => (await import('../commands/maintain/archive.ts')).archive,
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
    load: async () => (await import('../commands/bench.ts')).bench,
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
    load: async () => (await import('../commands/init.ts')).init,
  },
]
