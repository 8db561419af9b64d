// Fault injection into file calls: a process that runs with the library of shim.c plans its own faults.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The files of a data directory. `mark` is the high-water file. */
export const FILES = { db: 1, wal: 2, mark: 4, shm: 8, json: 16, lock: 32, other: 64 } as const
export const CALLS = { write: 1, sync: 2, truncate: 4, remove: 8, rename: 16, open: 32 } as const
/** `pretend` skips the call and reports success; `half` writes the first half, as a full disk may. */
const ACTS = { kill: 1, fail: 2, pretend: 3, delay: 4, half: 5, stop: 6 } as const
export const ERRNOS = { EIO: 5, ENOSPC: 28, EROFS: 30, EMFILE: 24, EDQUOT: 122 } as const

/** Injects a fault from the `nth` matching call on, counted from when the plan is set. */
export interface FaultPlan {
  readonly files: readonly (keyof typeof FILES)[]
  readonly calls: readonly (keyof typeof CALLS)[]
  readonly nth: number
  readonly act: keyof typeof ACTS
  readonly errno?: keyof typeof ERRNOS
  /** The number of calls with the fault. Default: all that follow. */
  readonly times?: number
  readonly delayMs?: number
}

const FIELDS = 9
const [NTH_AT, MATCHED_AT, HIT_AT] = [2, 7, 8]

/** The fault plan of a process, in a file that it maps. */
export interface Faults {
  plan(plan: FaultPlan): void
  /** Ends fault injection. */
  heal(): void
  /** The numbers of matching calls and of injected faults since the plan was set. */
  counts(): { readonly matched: number; readonly hit: number }
  close(): void
}

/** Reads the counts of a plan, also after its process has ended. */
export function countsIn(path: string): { readonly matched: number; readonly hit: number } {
  const bytes = readFileSync(path)
  return { matched: bytes.readInt32LE(MATCHED_AT * 4), hit: bytes.readInt32LE(HIT_AT * 4) }
}

export function faultsIn(path: string): Faults {
  const file = openSync(path, 'r+')
  const write = (fields: readonly number[], at = 0): void => {
    const bytes = Buffer.alloc(fields.length * 4)
    for (const [index, field] of fields.entries()) bytes.writeInt32LE(field, index * 4)
    writeSync(file, bytes, 0, bytes.length, at * 4)
  }
  const heal = (): void => write([0], NTH_AT)
  return {
    heal,
    plan({ files, calls, nth, act, errno = 'EIO', times = -1, delayMs = 0 }) {
      heal()
      const fileMask = files.reduce((mask, each) => mask | FILES[each], 0)
      const callMask = calls.reduce((mask, each) => mask | CALLS[each], 0)
      write([0, 0], MATCHED_AT)
      write([ACTS[act], ERRNOS[errno], times, delayMs], NTH_AT + 1)
      write([fileMask, callMask, nth])
    },
    counts: () => countsIn(path),
    close: () => closeSync(file),
  }
}

/** The fault-injection library. */
export interface Shim {
  /** The environment for a process with faults in a directory, planned in a file. */
  environment(faults: string, directory: string): Readonly<Record<string, string>>
}

/** Builds the library; returns `undefined` without a C compiler or LD_PRELOAD. */
export function buildShim(directory: string): Shim | undefined {
  if (process.platform !== 'linux') return undefined
  const library = join(directory, 'shim.so')
  const source = fileURLToPath(new URL('shim.c', import.meta.url))
  const built = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
  if (built.status !== 0) return undefined
  return {
    environment(faults, directory) {
      writeFileSync(faults, Buffer.alloc(FIELDS * 4))
      return {
        LD_PRELOAD: library,
        THROUGHLINE_FAULTS: faults,
        THROUGHLINE_FAULTS_IN: directory,
        UV_USE_IO_URING: '0',
      }
    },
  }
}
