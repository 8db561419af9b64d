import { Fault } from '../base/fault.ts'
import type { Backend } from '../ports/store.ts'
import { through } from '../ports/through.ts'

/** Throws where an engine has ended. */
export function mustRun(ended: AbortSignal, ids: Readonly<Record<string, string>> = {}): void {
  if (ended.aborted) throw new Fault('APP_STOPPING', { detail: 'it has stopped', ids })
}

/** Calls something while an engine runs. */
export async function whileRunning<T>(ended: AbortSignal, call: () => Promise<T>): Promise<T> {
  mustRun(ended)
  return call()
}

/**
 * A backend of which nothing is asked once its engine has ended, by whomever: each call then throws
 * `APP_STOPPING`, in place of what the backend says of being closed.
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
