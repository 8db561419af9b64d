import { Fault } from '../../base/errors/fault.ts'
import type { Backend } from '../../ports/event-store.ts'
import { intercept } from '../../ports/intercept.ts'

/** Throws if the engine has stopped. */
export function assertRunning(
  stopped: AbortSignal,
  ids: Readonly<Record<string, string>> = {},
): void {
  if (stopped.aborted) throw new Fault('APP_STOPPING', { detail: 'it has stopped', ids })
}

/** Calls a function, unless the engine has stopped. */
export async function whileRunning<T>(stopped: AbortSignal, call: () => Promise<T>): Promise<T> {
  assertRunning(stopped)
  return call()
}

/**
 * Wraps a backend so that every call throws `APP_STOPPING` once its engine has stopped, in place of
 * the backend's own error about being closed.
 */
export function rejectAfterStop(backend: Backend, stopped: AbortSignal): Backend {
  const guarded = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
    return (...args: A): Promise<T> => whileRunning(stopped, () => call(...args))
  }
  const { backup, archive } = backend
  return {
    ...intercept(backend, (_, run) => whileRunning(stopped, run)),
    ...(backup && { backup: guarded(backup.bind(backend)) }),
    ...(archive && { archive: guarded(archive.bind(backend)) }),
  }
}
