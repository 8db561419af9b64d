// How commands reach data: through its running owner, else by opening it.
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

/** A system that can be asked. */
export interface Reached {
  /** Whether a process runs it. */
  readonly isRunning: boolean
  run(verb: VerbName, given?: Given, tell?: Tell): Promise<unknown>
  [Symbol.asyncDispose](): Promise<void>
}

export function directoryOf({ terminal, flags }: Asked): string {
  return resolve(terminal.cwd, flags.data)
}

/** @throws Fault `DATA_MISSING`, which says what could be named, and what opening throws */
export async function reach(asked: Asked): Promise<Reached> {
  return (await reachRunning(directoryOf(asked))) ?? opened(await look(asked))
}

/** The running owner; what it was doing when it went away is said by name. */
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

/** Opens data as its owner, for as long as one call takes. */
async function reachAlone(asked: Asked): Promise<Reached> {
  // Opened for reading first: an owner would make what is not there.
  await (await look(asked)).close()
  return opened(await resting(embedded({ directory: directoryOf(asked) }), systemClock()))
}

/**
 * The running owner, or the data itself where `--offline` says so.
 *
 * @throws Fault `DATA_READ_ONLY` where nobody runs it, `DATA_MISSING`
 */
export async function reachForWriting(asked: Asked): Promise<Reached> {
  const owner = await reachRunning(directoryOf(asked))
  if (owner) return owner
  if (asked.flags.offline) return reachAlone(asked)
  // What is not there at all is said first.
  await (await reach(asked))[Symbol.asyncDispose]()
  throw new Fault('DATA_READ_ONLY', { detail: `nobody runs ${asked.flags.data}` })
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

/** Data directories where programs usually keep them. */
function usualData(cwd: string): readonly string[] {
  const usual = join(cwd, USUAL)
  if (!existsSync(usual)) return []
  return readdirSync(usual)
    .flatMap((name) => [join(USUAL, name), join(USUAL, name, 'log')])
    .filter((path) => isData(join(cwd, path)))
}

/**
 * Refuses a name that is not in the list, with the nearest one that is.
 *
 * @throws Fault with the code that is given
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
