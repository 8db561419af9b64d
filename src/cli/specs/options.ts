import { InvalidArgumentError, Option } from 'commander'
import type { Command } from '../shared/command.ts'

/** The groups of the help, each with its commands in the order of `commands`. */
export const GROUPS = {
  run: 'Run services',
  inspect: 'Inspect a system and its data',
  operate: 'Operate a running system',
  maintain: 'Maintain the data',
  start: 'Projects and benchmarks',
} as const

export type Group = keyof typeof GROUPS

/** A command with its flags and help. */
export interface CommandSpec {
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

export const numberOption = (flags: string, does: string): Option =>
  new Option(flags, does).argParser(parseWhole)
export const jsonOption = (): Option =>
  new Option('--json', 'print JSON, and errors as JSON on stderr')
export const dataOption = (): Option =>
  new Option('--data <dir>', 'the data directory').default('data')
export const dataOptions = (...options: readonly Option[]): readonly Option[] => [
  dataOption(),
  ...options,
  jsonOption(),
]
export const listOptions = (...options: readonly Option[]): readonly Option[] =>
  dataOptions(
    ...options,
    numberOption('--limit <n>', 'maximum number of items').default(100),
    new Option('--after <next>', 'continue a list from the `next` that it printed'),
  )
export const offlineOption = (): Option =>
  new Option('--offline', 'without a running owner: open the data as its owner for this command')
/** The flags of every command that changes something. */
export const writeOptions = (...options: readonly Option[]): readonly Option[] =>
  dataOptions(
    ...options,
    new Option('--by <name>', 'who asks, for the audit trail; default: your user name'),
    new Option('--reason <text>', 'why, for the audit trail'),
  )
