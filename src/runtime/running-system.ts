// The view that operators have of a running app, and the control socket.
import { brand, assertSinglePackageCopy } from '../base/package-copy.ts'
import { Fault } from '../base/errors/fault.ts'
import type { ControlSocket } from '../control/control-socket.ts'
import { openSocket } from '../control/control-socket.ts'
import type { System } from '../control/system.ts'
import type { Engine } from '../engine/engine.ts'
import { checkHealth, rewind } from '../engine/operations/index.ts'
import { findOperationById } from '../engine/producer/index.ts'
import type { EngineContext, EngineMonitor } from '../engine/context/index.ts'
import { createDeadLetters } from '../engine/dead-letters/index.ts'
import { whileRunning } from '../engine/context/index.ts'

const SYSTEMS = new WeakMap<object, System>()

/** Registers the system of an app, for `systemOf`. */
export function registerSystem(app: object, system: System): void {
  SYSTEMS.set(brand(app), system)
}

/** The system of a running app: what the gateway, the admin server and the control socket use. */
export function systemOf(app: object): System {
  assertSinglePackageCopy([['app', app]])
  const system = SYSTEMS.get(app)
  if (!system)
    throw new Fault('OPTION_INVALID', { detail: 'this is not an app that start has returned' })
  return system
}

export function createRunningSystem(
  engine: EngineContext,
  running: Pick<Engine, 'rebuild'>,
): System {
  const { backend, catalog, clock, delays, pauses, stopped } = engine
  const whileOpen = <T>(call: () => Promise<T>): Promise<T> => whileRunning(stopped, call)
  return {
    backend,
    catalog,
    clock,
    delays,
    deadLetters: createDeadLetters(engine, engine),
    health: () => whileOpen(() => checkHealth(engine)),
    setPaused: (service, isPaused) => whileOpen(() => pauses.setPaused(service, isPaused)),
    rewind: (asked) => whileOpen(() => rewind(engine, asked)),
    rebuild: (projection, onProgress) =>
      whileOpen(() => running.rebuild(projection, { onProgress })),
    operation: (id, topic) =>
      whileOpen(async () => (await findOperationById(engine, id, topic))?.state()),
  }
}

/** Opens the control socket of a data directory. If that fails, the app runs without one. */
export async function openControlSocket(
  directory: string | undefined,
  system: System,
  watcher: EngineMonitor,
): Promise<ControlSocket | undefined> {
  if (directory === undefined) return undefined
  try {
    return await openSocket(directory, system)
  } catch (cause) {
    watcher.failed('admin socket', cause)
    return undefined
  }
}
