import { digest } from '../../base/text/digest.ts'
import type { ThrownError } from '../../base/errors/thrown-error.ts'

/** What differs between failures with the same cause: ids, numbers, quoted values, addresses. */
const VARIABLE: readonly (readonly [pattern: RegExp, placeholder: string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/giu, '<id>'],
  [/"[^"]*"|'[^']*'|`[^`]*`/gu, '<text>'],
  [/\b0x[0-9a-f]+\b|\b[0-9a-f]{12,}\b/giu, '<id>'],
  [/\d+(?:[.:,]\d+)*/gu, '<n>'],
]

/** The text of an error without what varies. */
export function normalizedMessage(message: string): string {
  let text = message.split('\n', 1)[0] ?? ''
  for (const [pattern, placeholder] of VARIABLE) text = text.replaceAll(pattern, placeholder)
  return text
}

const FRAME =
  /^\s*at (?:async )?(?:(?<name>[^(]+) \()?(?:file:\/\/)?(?<file>.+?)(?::\d+)?(?::\d+)?\)?$/u

/** The function and file of the innermost frame of a stack, without line and column. */
export function topFrame(stack: string | undefined): string {
  for (const line of stack?.split('\n') ?? []) {
    const found = FRAME.exec(line)?.groups
    if (!found) continue
    const file = found['file']?.split('/').at(-1) ?? ''
    return `${found['name']?.trim() ?? ''}@${file}`
  }
  return ''
}

/**
 * Equal for failures with the same cause: the same code, the same text but for ids and numbers, thrown
 * in the same function.
 */
export function causeOf({ code, message, stack }: ThrownError): string {
  return digest(JSON.stringify([code ?? '', normalizedMessage(message), topFrame(stack)]))
}
