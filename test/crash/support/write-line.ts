import { writeSync } from 'node:fs'

/** Writes a line to stdout synchronously, also while the pipe is full. */
export function writeLine(line: unknown): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
  for (let at = 0; at < bytes.length;)
    try {
      at += writeSync(1, bytes, at)
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'EAGAIN') throw cause
    }
}
