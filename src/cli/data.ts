// Opens the system that a command works on: through its running owner, else from the data directory.
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { embedded } from '../backends/embedded/index.ts'
import { systemClock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { unknownOf } from '../base/options.ts'
import type { RestingSystem } from '../control/rest.ts'
import { resting } from '../control/rest.ts'
import { reachOwner } from '../control/socket.ts'
import type { Given, VerbName } from '../control/verbs.ts'
import { runVerb } from '../control/verbs.ts'
import type { Tell } from '../ports/keeping.ts'
import type { Asked } from './command.ts'
import { isData, missing } from './find-data.ts'

/** An open system, to run verbs on. */
export interface Reached {
  /** Whether an owner process runs it. */
  readonly isRunning: boolean
  run(verb: VerbName, given?: Given, tell?: Tell): Promise<unknown>
  [Symbol.asyncDispose](): Promise<void>
}

export function directoryOf({ terminal, flags }: Asked): string {
  return resolve(terminal.cwd, flags.data)
}

/**
 * Connects to the running owner, else opens the data read-only.
 *
 * @throws Fault `DATA_MISSING` with the data directories that exist, and whatever opening throws
 */
export async function reach(asked: Asked): Promise<Reached> {
  return (await reachRunning(directoryOf(asked))) ?? opened(await look(asked))
}

/** Connects to the running owner, if any. A call throws `OWNER_GONE` once that has ended. */
export async function reachRunning(directory: string): Promise<Reached | undefined> {
  const owner = await reachOwner(directory)
  if (!owner) return undefined
  return {
    isRunning: true,
    async run(verb, given = {}, tell) {
      try {
        return await owner.run(verb, given, tell)
      } catch (cause) {
        if (!isGone(cause)) throw cause
        throw new Fault('OWNER_GONE', { detail: directory, cause })
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

const GONE: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE'])
const isGone = (cause: unknown): boolean => GONE.has((cause as { code?: unknown }).code)

/** Opens the data as its owner until the command ends. */
async function reachAlone(asked: Asked): Promise<Reached> {
  // Open it read-only first: opening as owner would create missing data.
  await (await look(asked)).close()
  return opened(await resting(embedded({ directory: directoryOf(asked) }), systemClock()))
}

/**
 * Connects to the running owner, or opens the data as its owner with `--offline`.
 *
 * @throws Fault `DATA_READ_ONLY` without an owner and without `--offline`; `DATA_MISSING`
 */
export async function reachForWriting(asked: Asked): Promise<Reached> {
  const owner = await reachRunning(directoryOf(asked))
  if (owner) return owner
  if (asked.flags.offline) return reachAlone(asked)
  // Missing data is reported first.
  await (await reach(asked))[Symbol.asyncDispose]()
  throw new Fault('DATA_READ_ONLY', { detail: `${asked.flags.data} has no running owner` })
}

async function look(asked: Asked): Promise<RestingSystem> {
  try {
    const backend = embedded({ directory: directoryOf(asked), isReadOnly: true })
    return await resting(backend, systemClock())
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'DATA_MISSING') throw cause
    const others = usualData(asked.terminal.cwd)
    throw others.length === 0 ? cause : missing(asked.flags.data, others, cause)
  }
}

function opened(system: RestingSystem): Reached {
  return {
    isRunning: false,
    run: (verb, given = {}, tell) => runVerb(system, verb, given, tell),
    [Symbol.asyncDispose]: () => system.close(),
  }
}

const USUAL = '.throughline'

/** The data directories below `.throughline`, where programs usually keep them. */
function usualData(cwd: string): readonly string[] {
  const usual = join(cwd, USUAL)
  if (!existsSync(usual)) return []
  return readdirSync(usual)
    .flatMap((name) => [join(USUAL, name), join(USUAL, name, 'log')])
    .filter((path) => isData(join(cwd, path)))
}

/**
 * Checks that a name is known.
 *
 * @throws Fault with this code, and with the most similar name
 */
export function mustBeNamed(
  code: 'TOPIC_NOT_FOUND' | 'SERVICE_NOT_FOUND',
  name: string,
  known: readonly string[],
): void {
  if (known.includes(name)) return
  const ids = code === 'TOPIC_NOT_FOUND' ? { topic: name } : { service: name }
  throw new Fault(code, { detail: unknownOf(name, known), ids })
}
