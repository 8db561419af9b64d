import type { Cancel, Clock } from './clock.ts'

/** Wakes waiting callers when something new is there. */
export interface Notifier {
  /** Resolves every pending `wait`. */
  notify(): void
  /** Resolves at the next `notify`, after `waitMs`, or when the signal aborts. */
  wait(waitMs: number, signal?: AbortSignal): Promise<void>
}

export function createNotifier(clock: Clock): Notifier {
  const waiters = new Set<() => void>()
  return {
    notify() {
      for (const wake of waiters) wake()
    },
    wait(waitMs, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        let cancel: Cancel = () => undefined
        const wake = (): void => {
          cancel()
          waiters.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        cancel = clock.after(waitMs, wake)
        waiters.add(wake)
        signal?.addEventListener('abort', wake)
      })
    },
  }
}
