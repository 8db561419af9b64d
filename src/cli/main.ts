import { CommanderError } from 'commander'
import type { Io } from './environment.ts'
import { processIo } from './environment.ts'
import { EXITS, errorText, errorView, exitOf } from './exits.ts'
import { parse } from './parse.ts'
import { program } from './program.ts'
import { terminalOf } from './terminal.ts'

export { endProcess } from './environment.ts'

/**
 * Runs the command line and returns the exit code. Does not end the process, except for a second
 * signal while `run` stops.
 *
 * @param argv the arguments after the program name
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const terminal = terminalOf(io, argv.includes('--json'))
  let exitCode: number = EXITS.fine.code
  let complaint = ''
  try {
    const parser = program({
      terminal,
      complain: (text) => (complaint += text),
      ended: (code) => (exitCode = code),
    })
    await parse(parser, argv)
    return exitCode
  } catch (cause) {
    if (!(cause instanceof CommanderError)) {
      terminal.fail(errorView(cause), errorText(cause))
      return exitOf(cause)
    }
    if (cause.exitCode === 0) return EXITS.fine.code
    // Without a command, commander throws its help as the error.
    const isHelp = cause.code === 'commander.help'
    const message = isHelp ? 'name a command' : cause.message.replace(/^error: /, '')
    terminal.fail({ code: 'OPTION_INVALID', message, complaints: [], ids: {} }, complaint.trimEnd())
    return EXITS.usage.code
  }
}
