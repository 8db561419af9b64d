import { CommanderError } from 'commander'
import type { Io } from './environment.ts'
import { processIo } from './environment.ts'
import type { ErrorView } from './exits.ts'
import { EXITS, errorText, errorView, exitOf } from './exits.ts'
import { program } from './program.ts'
import { terminalOf } from './terminal.ts'

export { endProcess } from './environment.ts'

/**
 * The command line. Answers the exit code, as `EXITS` says; never ends the process, but for a second
 * signal while `run` stops.
 *
 * @param argv what was typed after the name of the command
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const terminal = terminalOf(io)
  const isJson = argv.includes('--json')
  let exitCode: number = EXITS.fine.code
  let complaint = ''
  const fail = (error: ErrorView, text: string): void =>
    terminal.tell(isJson ? JSON.stringify({ error }) : text)
  try {
    await program({
      terminal,
      complain: (text) => (complaint += text),
      ended: (code) => (exitCode = code),
    }).parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (cause) {
    if (!(cause instanceof CommanderError)) {
      fail(errorView(cause), errorText(cause))
      return exitOf(cause)
    }
    if (cause.exitCode === 0) return EXITS.fine.code
    // Without any command it is the help that says what is missing.
    const message = cause.code === 'commander.help' ? 'name a command' : cause.message
    fail({ code: 'OPTION_INVALID', message, complaints: [], ids: {} }, complaint.trimEnd())
    return EXITS.usage.code
  }
}
