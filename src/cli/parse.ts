import type { Command as Parser } from 'commander'

/** Does what was typed. Of a command that is not there, only the name counts: no help is of it. */
export async function parse(parser: Parser, argv: readonly string[]): Promise<void> {
  const [name = '--help'] = argv
  const isKnown = name.startsWith('-') || parser.commands.some((each) => each.name() === name)
  await parser.parseAsync(isKnown ? argv : [name], { from: 'user' })
}
