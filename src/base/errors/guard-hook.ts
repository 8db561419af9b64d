import { readProperty } from './thrown-error.ts'

/**
 * Wraps a hook of the user: what it throws, or what a promise that it returns rejects with, goes to
 * `onError` only. A logger that throws must not stop the work that it logs.
 */
export function guardHook<A extends readonly unknown[]>(
  hook: (...args: A) => unknown,
  onError: (cause: unknown) => void,
): (...args: A) => void {
  return (...args) => {
    try {
      const returned = hook(...args)
      if (typeof readProperty(returned, 'then') === 'function')
        Promise.resolve(returned).catch(onError)
    } catch (cause) {
      onError(cause)
    }
  }
}
