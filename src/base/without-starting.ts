import { AsyncLocalStorage } from 'node:async_hooks'

/** Hears the name of a call that would have started something; may throw, for the caller to hear. */
export type OnStart = (call: string) => void

/** Shared by all copies of the package in a process: a module may import another one than we do. */
const KEY = Symbol.for('throughline.without-starting')

function context(): AsyncLocalStorage<OnStart> {
  const shared = globalThis as { [KEY]?: AsyncLocalStorage<OnStart> }
  return (shared[KEY] ??= new AsyncLocalStorage())
}

/**
 * Runs something that may start no system, such as the import of a module that is only read. That
 * holds for everything that it begins, also for what goes on after it has ended.
 */
export function withoutStarting<T>(onStart: OnStart, run: () => T): T {
  return context().run(onStart, run)
}

/**
 * Returns at once where a system may start. Elsewhere it throws what `onStart` throws, and otherwise
 * never resolves: a rejection that the module does not catch would end the process before anybody
 * could say why.
 */
export async function mayStart(call: string): Promise<void> {
  const onStart = context().getStore()
  if (!onStart) return
  onStart(call)
  await new Promise<never>(() => undefined)
}
