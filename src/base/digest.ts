import { createHash } from 'node:crypto'

/** Hexadecimal digits that tell two versions of a text apart: 64 bits of its SHA-256. */
const LENGTH = 16

/** A short name of a text: the same text has the same one, on every machine. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, LENGTH)
}
