import type { Cancel, Clock } from './clock.ts'

/** Wakes waiting callers when something new is there. */
export interface Bell {
  /** Resolves every pending `wait`. */
  ring(): void
  /** Resolves at the next `notify`, after `waitMs`, or when the signal aborts. */
  wait(waitMs: number, signal?: AbortSignal): Promise<void>
}

export function bell(clock: Clock): Bell {
  const waiting = new Set<() => void>()
  return {
    ring() {
      for (const goOn of waiting) goOn()
    },
    wait(waitMs, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        let cancel: Cancel = () => undefined
        const goOn = (): void => {
          cancel()
          waiting.delete(goOn)
          signal?.removeEventListener('abort', goOn)
          resolve()
        }
        cancel = clock.after(waitMs, goOn)
        waiting.add(goOn)
        signal?.addEventListener('abort', goOn)
      })
    },
  }
}
