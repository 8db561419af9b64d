import { thrownMessage } from '../base/errors/thrown-error.ts'
import { createWarnOnce } from '../base/errors/warn-once.ts'
import { rebuildOffline as rebuildAloneBy } from '../engine/engine.ts'
import type { RebuildOptions, RebuildResult } from '../engine/rebuild/index.ts'
import type { Backend } from '../ports/event-store.ts'
import type { Service } from '../rules/service.ts'
import type { StartOptions } from './engine-context.ts'
import { prepareEngine, createEngineContext } from './engine-context.ts'

/**
 * Rebuilds one projection while no app runs the services: no other rule runs, and no message is sent.
 * The backend is closed afterwards.
 *
 * @throws Fault `PROJECTION_NOT_FOUND`, `REBUILD_FAILED`, and what `start` throws
 */
export async function rebuildProjectionOffline(
  services: readonly Service[],
  backend: Backend,
  projection: string,
  options: StartOptions & RebuildOptions & { readonly tools?: unknown },
): Promise<RebuildResult> {
  const ended = new AbortController()
  const warn = createWarnOnce()
  const broke = (what: string, cause: unknown): void => {
    // A failure of the requested rebuild is thrown instead.
    if (what !== `a rebuild of ${projection}`) warn(`${what}: ${thrownMessage(cause)}`)
  }
  const tools = await createEngineContext(
    prepareEngine(services, backend, { onBackendError: broke, ...options }, ended.signal),
  )
  return rebuildAloneBy(tools, projection, options)
}
