import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** A directory for one run. It is removed after the run, also on SIGINT and SIGTERM. */
export interface ScratchDirectory extends Disposable {
  readonly path: string
}

const CODES = { SIGINT: 130, SIGTERM: 143 } as const
const SIGNALS = Object.keys(CODES) as readonly (keyof typeof CODES)[]

/** Creates a directory below an existing one, readable for the servers of peers. */
export function createScratchDirectory(parent: string): ScratchDirectory {
  const path = mkdtempSync(join(parent, 'throughline-bench-'))
  chmodSync(path, 0o755)
  const remove = (): void => rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  const end = (signal: keyof typeof CODES): void => {
    remove()
    process.exit(CODES[signal])
  }
  for (const signal of SIGNALS) process.once(signal, end)
  return {
    path,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.removeListener(signal, end)
      remove()
    },
  }
}
