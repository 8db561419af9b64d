import type { Terminal } from '../terminal/terminal.ts'

/** The parsed flags of all commands. */
export interface Flags {
  readonly data: string
  readonly json?: boolean
  readonly partition?: number
  /** An offset; text for commands that also take a time. */
  readonly from?: number | string
  readonly to?: string
  readonly before?: string
  readonly limit: number
  readonly follow?: boolean
  // Filters of lists.
  readonly consumer?: string
  readonly key?: string
  readonly saga?: string
  readonly operation?: string
  readonly state?: string
  readonly type?: string
  readonly since?: string
  readonly until?: string
  readonly cause?: string
  readonly verb?: string
  readonly view?: string
  readonly status?: string
  readonly event?: string
  readonly service?: string
  /** The cursor at which a list continues. */
  readonly after?: string
  readonly accept?: readonly string[]
  readonly resetHighWater?: boolean
  readonly offline?: boolean
  /** Who asks for a change, and why. */
  readonly by?: string
  readonly reason?: string
  readonly all?: boolean
  readonly perSecond?: number
  /** The path of a file, or JSON. */
  readonly newData?: string
  readonly yes?: boolean
  readonly port: number
  readonly host?: string
  readonly token?: string
  readonly js?: boolean
  readonly name?: string
  readonly topic?: string
  readonly check?: string
  readonly against?: string
  readonly directory: string
  readonly seconds: number
}

/** One call of a command: its arguments and flags, and the terminal to print to. */
export interface Invocation {
  readonly terminal: Terminal
  readonly args: readonly string[]
  readonly flags: Flags
}

/** Runs a command and returns the exit code. */
export type Command = (invocation: Invocation) => Promise<number>
