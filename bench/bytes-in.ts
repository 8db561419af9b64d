import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The size of the files in a directory, without those in deeper directories. */
export function bytesIn(directory: string): number {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { name }) => sum + statSync(join(directory, name)).size, 0)
}
