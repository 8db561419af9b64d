import { createHash } from 'node:crypto'

/** Hexadecimal digits of a digest: 64 bits of the SHA-256. */
const LENGTH = 16

/** A short hash of a text, the same on every machine. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, LENGTH)
}
