import type { Command as Parser } from 'commander'

/** Parses and runs a command line. For an unknown command, the other arguments are ignored. */
export async function parse(parser: Parser, argv: readonly string[]): Promise<void> {
  const [name = '--help'] = argv
  const isKnown = name.startsWith('-') || parser.commands.some((each) => each.name() === name)
  await parser.parseAsync(isKnown ? argv : [name], { from: 'user' })
}

/** Adds `help COMMAND`, which prints the same as `COMMAND --help`. */
export function addHelp(parser: Parser, heading: string): void {
  const help = parser.command('help [command]').description('show the help of a command')
  help.helpGroup(heading)
  help.action((name?: string) => parse(parser, name === undefined ? ['--help'] : [name, '--help']))
}
