import { Fault } from './fault.ts'

/** What was thrown, as plain text that is safe to keep, to print and to send. */
export interface ThrownError {
  readonly message: string
  /** A stable code where the thrown value has one: `ECONNREFUSED`, `RULE_RETURNED`. */
  readonly code?: string
  readonly stack?: string
}

const MESSAGE_LENGTH_MAX = 1_000
const CODE_LENGTH_MAX = 128
const STACK_LENGTH_MAX = 8_192

const NO_TEXT = 'something was thrown that has no text'

/**
 * Looks at a thrown value. User code may throw anything: text, a proxy that was revoked, an error
 * whose getters throw. This function never throws, and reads each member once.
 */
export function thrownError(cause: unknown): ThrownError {
  const isError = isInstance(cause, Error)
  const message = isError ? textIn(cause, 'message') : textOf(cause)
  const code = textIn(cause, 'code')
  const stack = isError ? textIn(cause, 'stack') : undefined
  return {
    message: (message ?? NO_TEXT).slice(0, MESSAGE_LENGTH_MAX),
    ...(code ? { code: code.slice(0, CODE_LENGTH_MAX) } : {}),
    ...(stack ? { stack: stack.slice(0, STACK_LENGTH_MAX) } : {}),
  }
}

/** The message of a thrown value alone. */
export function thrownText(cause: unknown): string {
  return thrownError(cause).message
}

/** The thrown value where it is a fault of ours; `instanceof` itself may throw. */
export function faultIn(cause: unknown): Fault | undefined {
  return isInstance(cause, Fault) ? (cause as Fault) : undefined
}

/** A member of a value that may throw when it is read; `undefined` then. */
export function memberOf(value: unknown, name: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>> | null | undefined)?.[name]
  } catch {
    return undefined
  }
}

function isInstance(value: unknown, type: abstract new (...args: never[]) => unknown): boolean {
  try {
    return value instanceof type
  } catch {
    return false
  }
}

function textIn(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name)
  return typeof member === 'string' ? member : undefined
}

function textOf(value: unknown): string | undefined {
  try {
    return String(value)
  } catch {
    return undefined
  }
}
