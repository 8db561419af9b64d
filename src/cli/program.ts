// The commands with their flags and help. The code of a command is imported when it is called.
import { readFileSync } from 'node:fs'
import { Command as Parser } from 'commander'
import type { Flags } from './shared/command.ts'
import { inspectCommands } from './specs/inspect-commands.ts'
import { maintainCommands } from './specs/maintain-commands.ts'
import { operateCommands } from './specs/operate-commands.ts'
import type { CommandSpec, Group } from './specs/options.ts'
import { GROUPS } from './specs/options.ts'
import { EXIT_CODES } from './terminal/exit-codes.ts'
import { findData } from './shared/find-data.ts'
import { addHelp } from './parse.ts'
import type { Terminal } from './terminal/terminal.ts'

const commands = [...operateCommands, ...inspectCommands, ...maintainCommands]
const GROUP_NAMES = Object.keys(GROUPS) as readonly Group[]

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
