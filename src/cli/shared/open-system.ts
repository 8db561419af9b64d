// Opens the system that a command works on: through its running owner, else from the data directory.
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { embedded } from '../../backends/embedded/index.ts'
import { systemClock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { unknownNameDetail } from '../../base/options.ts'
import { runAudited } from '../../control/audit.ts'
import type { OfflineSystem } from '../../control/offline-system.ts'
import { openOfflineSystem } from '../../control/offline-system.ts'
import { findOwner } from '../../control/control-socket.ts'
import { systemUser } from '../../control/system-user.ts'
import type { VerbArguments, VerbName } from '../../control/verbs.ts'
import { runVerb } from '../../control/verbs.ts'
import type { ReportProgress } from '../../ports/backup-and-archive.ts'
import type { Flags, Invocation } from './command.ts'
import { isDataDirectory, dataMissing } from './find-data.ts'

/** An open system, to run verbs on. */
export interface OpenSystem {
  /** Whether an owner process runs it. */
  readonly isRunning: boolean
  run(verb: VerbName, given?: VerbArguments, onProgress?: ReportProgress): Promise<unknown>
  [Symbol.asyncDispose](): Promise<void>
}

export function dataDirectory({ terminal, flags }: Invocation): string {
  return resolve(terminal.cwd, flags.data)
}

/**
 * Connects to the running owner, else opens the data read-only.
 *
 * @throws Fault `DATA_MISSING` with the data directories that exist, and whatever opening throws
 */
export async function openSystem(asked: Invocation): Promise<OpenSystem> {
  return (await connectToOwner(dataDirectory(asked))) ?? withoutOwner(await openReadOnly(asked))
}

/** Connects to the running owner, if any. A call throws `OWNER_GONE` once that has ended. */
export async function connectToOwner(directory: string): Promise<OpenSystem | undefined> {
  const owner = await findOwner(directory)
  if (!owner) return undefined
  return {
    isRunning: true,
    async run(verb, given = {}, onProgress) {
      try {
        return await owner.run(verb, given, onProgress)
      } catch (cause) {
        if (!isConnectionLost(cause)) throw cause
        throw new Fault('OWNER_GONE', { detail: directory, cause })
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

const CONNECTION_LOST: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
])
const isConnectionLost = (cause: unknown): boolean =>
  CONNECTION_LOST.has((cause as { code?: unknown }).code)

/** Who asks for a change, and why: arguments of every verb that changes something. */
export function writeArguments({ by = systemUser(), reason }: Flags): {
  readonly by: string
  readonly reason?: string
} {
  return { by, ...(reason === undefined ? {} : { reason }) }
}

/**
 * Runs a change that opens the data itself, without an owner, and then stores its entry in the audit
 * trail.
 */
export async function auditOffline<T>(
  asked: Invocation,
  verb: VerbName,
  given: VerbArguments,
  run: () => Promise<T>,
): Promise<T> {
  const [ended] = await Promise.allSettled([run()])
  const system = await openOfflineSystem(
    embedded({ directory: dataDirectory(asked) }),
    systemClock(),
  )
  try {
    const taken = { ...given, ...writeArguments(asked.flags) } as Parameters<
      typeof runAudited
    >[1]['taken']
    return await runAudited(system, { verb, taken, isOptional: true }, async () => {
      if (ended.status === 'rejected') throw ended.reason
      return ended.value
    })
  } finally {
    await system.close()
  }
}

/** Opens the data as its owner until the command ends. */
async function openAsOwner(asked: Invocation): Promise<OpenSystem> {
  // Open it read-only first: opening as owner would create missing data.
  await (await openReadOnly(asked)).close()
  return withoutOwner(
    await openOfflineSystem(embedded({ directory: dataDirectory(asked) }), systemClock()),
  )
}

/**
 * Connects to the running owner, or opens the data as its owner with `--offline`.
 *
 * @throws Fault `DATA_READ_ONLY` without an owner and without `--offline`; `DATA_MISSING`
 */
export async function openForWriting(asked: Invocation): Promise<OpenSystem> {
  const owner = await connectToOwner(dataDirectory(asked))
  if (owner) return owner
  if (asked.flags.offline) return openAsOwner(asked)
  // Missing data is reported first.
  await (await openSystem(asked))[Symbol.asyncDispose]()
  throw new Fault('DATA_READ_ONLY', { detail: `${asked.flags.data} has no running owner` })
}

async function openReadOnly(asked: Invocation): Promise<OfflineSystem> {
  try {
    const backend = embedded({ directory: dataDirectory(asked), isReadOnly: true })
    return await openOfflineSystem(backend, systemClock())
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'DATA_MISSING') throw cause
    const others = usualData(asked.terminal.cwd)
    throw others.length === 0 ? cause : dataMissing(asked.flags.data, others, cause)
  }
}

function withoutOwner(system: OfflineSystem): OpenSystem {
  return {
    isRunning: false,
    run: (verb, given = {}, onProgress) => runVerb(system, verb, given, onProgress),
    [Symbol.asyncDispose]: () => system.close(),
  }
}

const USUAL_DIRECTORY = '.throughline'

/** The data directories below `.throughline`, where programs usually keep them. */
function usualData(cwd: string): readonly string[] {
  const usual = join(cwd, USUAL_DIRECTORY)
  if (!existsSync(usual)) return []
  return readdirSync(usual)
    .flatMap((name) => [join(USUAL_DIRECTORY, name), join(USUAL_DIRECTORY, name, 'log')])
    .filter((path) => isDataDirectory(join(cwd, path)))
}

/**
 * Checks that a name is known.
 *
 * @throws Fault with this code, and with the most similar name
 */
export function assertKnownName(
  code: 'TOPIC_NOT_FOUND' | 'SERVICE_NOT_FOUND',
  name: string,
  known: readonly string[],
): void {
  if (known.includes(name)) return
  const ids = code === 'TOPIC_NOT_FOUND' ? { topic: name } : { service: name }
  throw new Fault(code, { detail: unknownNameDetail(name, known), ids })
}
