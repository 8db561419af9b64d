import { memberOf } from './thrown.ts'

/**
 * A hook of the user behind a guard: what it throws, and what a promise that it returns rejects
 * with, goes to `failed` and no further. A logger that breaks must not stop what it logs.
 */
export function guarded<A extends readonly unknown[]>(
  hook: (...args: A) => unknown,
  failed: (cause: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      const returned = hook(...args)
      if (typeof memberOf(returned, 'then') === 'function') Promise.resolve(returned).catch(failed)
    } catch (cause) {
      failed(cause)
    }
  }
}
