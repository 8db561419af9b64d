import { createHash } from 'node:crypto'

/** Hexadecimal digits of a digest: 64 bits of the SHA-256. */
const LENGTH = 16

/**
 * A short hash of a text or of bytes, the same on every machine. Where a stranger chooses the input, 32
 * digits or more are needed, so that no two inputs with one hash can be found.
 */
export function digest(value: string | Uint8Array, length: number = LENGTH): string {
  return createHash('sha256').update(value).digest('hex').slice(0, length)
}
