// The view that operators have of a running app, and the control socket.
import { branded, mustBeOneCopy } from '../base/copy.ts'
import { Fault } from '../base/fault.ts'
import type { ControlSocket } from '../control/socket.ts'
import { openSocket } from '../control/socket.ts'
import type { System } from '../control/system.ts'
import type { Engine } from '../engine/engine.ts'
import { healthOf } from '../engine/health.ts'
import { findById } from '../engine/operations.ts'
import { rewind } from '../engine/rewind.ts'
import type { EngineTools } from '../engine/tools.ts'
import { whileRunning } from '../engine/until-ended.ts'
import type { Watch } from '../engine/watch.ts'

const SYSTEMS = new WeakMap<object, System>()

/** Registers the system of an app, for `systemOf`. */
export function operate(app: object, system: System): void {
  SYSTEMS.set(branded(app), system)
}

/** The system of a running app: what the gateway, the admin server and the control socket use. */
export function systemOf(app: object): System {
  mustBeOneCopy([['app', app]])
  const system = SYSTEMS.get(app)
  if (!system)
    throw new Fault('OPTION_INVALID', { detail: 'this is not an app that start has returned' })
  return system
}

export function runningSystem(engine: EngineTools, running: Pick<Engine, 'rebuild'>): System {
  const { backend, catalog, clock, delays, pauses, ended } = engine
  const whileUp = <T>(call: () => Promise<T>): Promise<T> => whileRunning(ended, call)
  return {
    backend,
    catalog,
    clock,
    delays,
    health: () => whileUp(() => healthOf(engine)),
    setPaused: (service, isPaused) => whileUp(() => pauses.set(service, isPaused)),
    rewind: (asked) => whileUp(() => rewind(engine, asked)),
    rebuild: (projection, tell) => whileUp(() => running.rebuild(projection, { tell })),
    operation: (id, topic) => whileUp(async () => (await findById(engine, id, topic))?.look()),
  }
}

/** Opens the control socket of a data directory. If that fails, the app runs without one. */
export async function socketOf(
  directory: string | undefined,
  system: System,
  tell: Watch,
): Promise<ControlSocket | undefined> {
  if (directory === undefined) return undefined
  try {
    return await openSocket(directory, system)
  } catch (cause) {
    tell.broke('admin socket', cause)
    return undefined
  }
}
