import type { Terminal } from './terminal.ts'

/** All flags of all commands, as they were given. */
export interface Flags {
  readonly data: string
  readonly json?: boolean
  readonly partition?: number
  /** An offset; where a time will do as well, text. */
  readonly from?: number | string
  readonly to?: string
  readonly before?: string
  readonly limit: number
  readonly follow?: boolean
  /** What a list is about. */
  readonly consumer?: string
  readonly key?: string
  readonly saga?: string
  readonly operation?: string
  readonly state?: string
  readonly type?: string
  readonly since?: string
  readonly until?: string
  /** Where a list goes on. */
  readonly after?: string
  readonly accept?: readonly string[]
  readonly markLost?: boolean
  readonly offline?: boolean
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

/** What a command was asked. */
export interface Asked {
  readonly terminal: Terminal
  readonly args: readonly string[]
  readonly flags: Flags
}

/** Does what was asked, and answers the exit code. */
export type Command = (asked: Asked) => Promise<number>
