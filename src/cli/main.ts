import { CommanderError } from 'commander'
import type { Io } from './terminal/environment.ts'
import { processIo } from './terminal/environment.ts'
import { EXIT_CODES, errorText, errorView, exitCodeOf } from './terminal/exit-codes.ts'
import { parse } from './parse.ts'
import { program } from './program.ts'
import { createTerminal } from './terminal/terminal.ts'

export { endProcess } from './terminal/environment.ts'

/**
 * Runs the command line and returns the exit code. Does not end the process, except for a second
 * signal while `run` stops.
 *
 * @param argv the arguments after the program name
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const terminal = createTerminal(io, argv.includes('--json'))
  let exitCode: number = EXIT_CODES.ok.code
  let usageError = ''
  try {
    const parser = program({
      terminal,
      onUsageError: (text) => (usageError += text),
      onExitCode: (code) => (exitCode = code),
    })
    await parse(parser, argv)
    return exitCode
  } catch (cause) {
    if (!(cause instanceof CommanderError)) {
      terminal.error(errorView(cause), errorText(cause))
      return exitCodeOf(cause)
    }
    if (cause.exitCode === 0) return EXIT_CODES.ok.code
    // Without a command, commander throws its help as the error.
    const isHelp = cause.code === 'commander.help'
    const message = isHelp ? 'name a command' : cause.message.replace(/^error: /, '')
    terminal.error({ code: 'OPTION_INVALID', message, issues: [], ids: {} }, usageError.trimEnd())
    return EXIT_CODES.usage.code
  }
}
