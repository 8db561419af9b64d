// How the programs of the shop begin and end.
import { Fault } from 'throughline'
import { DirectoryRefused } from './directory.ts'

/** What the command line asks to be printed instead of a run, with the exit code. */
export interface Printed {
  readonly print: string
  readonly exitCode: number
}

/** Prints a line for people, beside the output of the program. */
export const printLine = (text: string): void => void process.stderr.write(`${text}\n`)

/** Runs a program with its options, and sets the exit code: 130 after Ctrl-C, 1 for an error. */
export async function runProgram<O extends object>(
  options: O | Printed,
  main: (options: O) => Promise<number>,
  whenStopped: string,
): Promise<void> {
  if ('print' in options) {
    const { print, exitCode } = options
    if (exitCode === 0) process.stdout.write(`${print}\n`)
    else printLine(print)
    process.exit(exitCode)
  }
  try {
    process.exitCode = await main(options)
  } catch (cause) {
    // Ctrl-C while orders were being sent: the app has stopped as requested.
    const isStop = cause instanceof Fault && cause.code === 'APP_STOPPING'
    const { message, stack } = cause as Error
    const isForPeople =
      cause instanceof Fault || cause instanceof DirectoryRefused || 'code' in (cause as object)
    if (isStop) printLine(whenStopped)
    else printLine(isForPeople ? message : String(stack))
    process.exitCode = isStop ? 130 : 1
  }
}
