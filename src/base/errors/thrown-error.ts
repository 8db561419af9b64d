import { Fault } from './fault.ts'

/** A thrown value as bounded plain text, safe to store, print and send. */
export interface ThrownError {
  readonly message: string
  /** The stable code, if the thrown value has one: `ECONNREFUSED`, `RULE_RETURNED`. */
  readonly code?: string
  readonly stack?: string
}

const MESSAGE_LENGTH_MAX = 1_000
const CODE_LENGTH_MAX = 128
const STACK_LENGTH_MAX = 8_192

const NO_TEXT = 'the thrown value has no message'

/**
 * Reads message, code and stack of a thrown value. User code may throw anything: text, a revoked
 * proxy, an error whose getters throw. This function never throws and reads each property once.
 */
export function thrownError(cause: unknown): ThrownError {
  const isError = isInstance(cause, Error)
  const message = isError ? textProperty(cause, 'message') : stringOf(cause)
  const code = textProperty(cause, 'code')
  const stack = isError ? textProperty(cause, 'stack') : undefined
  return {
    message: (message ?? NO_TEXT).slice(0, MESSAGE_LENGTH_MAX),
    ...(code ? { code: code.slice(0, CODE_LENGTH_MAX) } : {}),
    ...(stack ? { stack: stack.slice(0, STACK_LENGTH_MAX) } : {}),
  }
}

/** The message of a thrown value. */
export function thrownMessage(cause: unknown): string {
  return thrownError(cause).message
}

/** The thrown value if it is a `Fault`; a plain `instanceof` may throw. */
export function asFault(cause: unknown): Fault | undefined {
  return isInstance(cause, Fault) ? (cause as Fault) : undefined
}

/** A property of a value; `undefined` if reading it throws. */
export function readProperty(value: unknown, name: string): unknown {
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

function textProperty(value: unknown, name: string): string | undefined {
  const member = readProperty(value, name)
  return typeof member === 'string' ? member : undefined
}

function stringOf(value: unknown): string | undefined {
  try {
    return String(value)
  } catch {
    return undefined
  }
}
