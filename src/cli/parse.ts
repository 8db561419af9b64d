import type { Command as Parser } from 'commander'

/** Does what was typed. Of a command that is not there, only the name counts: no help is of it. */
export async function parse(parser: Parser, argv: readonly string[]): Promise<void> {
  const [name = '--help'] = argv
  const isKnown = name.startsWith('-') || parser.commands.some((each) => each.name() === name)
  await parser.parseAsync(isKnown ? argv : [name], { from: 'user' })
}

/** `help COMMAND` says what `COMMAND --help` does. */
export function addHelp(parser: Parser, heading: string): void {
  const help = parser.command('help [command]').description('show the help of a command')
  help.helpGroup(heading)
  help.action((name?: string) => parse(parser, name === undefined ? ['--help'] : [name, '--help']))
}
