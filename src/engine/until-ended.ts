import { Fault } from '../base/fault.ts'
import type { Backend } from '../ports/store.ts'
import { through } from '../ports/through.ts'

/** Throws if the engine has stopped. */
export function mustRun(ended: AbortSignal, ids: Readonly<Record<string, string>> = {}): void {
  if (ended.aborted) throw new Fault('APP_STOPPING', { detail: 'it has stopped', ids })
}

/** Calls a function, unless the engine has stopped. */
export async function whileRunning<T>(ended: AbortSignal, call: () => Promise<T>): Promise<T> {
  mustRun(ended)
  return call()
}

/**
 * Wraps a backend so that every call throws `APP_STOPPING` once its engine has stopped, in place of
 * the backend's own error about being closed.
 */
export function untilEnded(backend: Backend, ended: AbortSignal): Backend {
  const guarded = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
    return (...args: A): Promise<T> => whileRunning(ended, () => call(...args))
  }
  const { backup, archive } = backend
  return {
    ...through(backend, (_, run) => whileRunning(ended, run)),
    ...(backup && { backup: guarded(backup.bind(backend)) }),
    ...(archive && { archive: guarded(archive.bind(backend)) }),
  }
}
