import { AsyncLocalStorage } from 'node:async_hooks'

/** Receives the name of a call that would have started a system; what it throws reaches that caller. */
export type OnForbiddenStart = (call: string) => void

/** Shared by all copies of the package in a process: a module may import another copy. */
const KEY = Symbol.for('throughline.without-starting')

function sharedContext(): AsyncLocalStorage<OnForbiddenStart> {
  const shared = globalThis as { [KEY]?: AsyncLocalStorage<OnForbiddenStart> }
  return (shared[KEY] ??= new AsyncLocalStorage())
}

/**
 * Runs a function in which no system may start, such as the import of a module that is only inspected.
 * The ban also holds for asynchronous work that the function begins and that runs on after it.
 */
export function forbidStart<T>(onStart: OnForbiddenStart, run: () => T): T {
  return sharedContext().run(onStart, run)
}

/**
 * Resolves where a system may start. Elsewhere it throws what `onStart` throws, or never resolves: an
 * unhandled rejection in the module would end the process before its importer could report the reason.
 */
export async function assertStartAllowed(call: string): Promise<void> {
  const onStart = sharedContext().getStore()
  if (!onStart) return
  onStart(call)
  await new Promise<never>(() => undefined)
}
