import { thrownText } from '../base/thrown.ts'
import { warnOnce } from '../base/warning.ts'
import { rebuildAlone as rebuildAloneBy } from '../engine/engine.ts'
import type { RebuildOptions, Rebuilt } from '../engine/rebuild.ts'
import type { Backend } from '../ports/store.ts'
import type { Service } from '../rules/service.ts'
import type { StartOptions } from './equip.ts'
import { equip, opened } from './equip.ts'

/**
 * Rebuilds one projection while no app runs the services: no other rule runs, and no message is sent.
 * The backend is closed afterwards.
 *
 * @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`, and what `start` throws
 */
export async function rebuildAlone(
  services: readonly Service[],
  backend: Backend,
  projection: string,
  options: StartOptions & RebuildOptions & { readonly tools?: unknown },
): Promise<Rebuilt> {
  const ended = new AbortController()
  const warn = warnOnce()
  const broke = (what: string, cause: unknown): void => {
    // A failure of the requested rebuild is thrown instead.
    if (what !== `a rebuild of ${projection}`) warn(`${what}: ${thrownText(cause)}`)
  }
  const tools = await opened(equip(services, backend, { broke, ...options }, ended.signal))
  return rebuildAloneBy(tools, projection, options)
}
