import { Fault } from '../base/fault.ts'
import type { Backend } from '../ports/store.ts'

/** How many apps of this process run on each backend. */
const APPS = new WeakMap<Backend, number>()

/** What one app has open. */
export interface BackendUse {
  /** @throws Fault `DATA_OWNED` where another app runs on it that cannot share it */
  open(): Promise<void>
  /** Closes the backend after the last of its apps. Idempotent. */
  close(): Promise<void>
}

/** The use of a `backend` by one app, which calls it by `calls`. */
export function useOf(backend: Backend, calls: Pick<Backend, 'log' | 'store'>): BackendUse {
  const { log, store } = calls
  let isOpen = false
  return {
    async open() {
      const apps = APPS.get(backend) ?? 0
      if (apps > 0 && !store.can.shared)
        throw new Fault('DATA_OWNED', {
          detail:
            `${backend.directory ?? 'the backend'} is in use by another app of this process, which was ` +
            'started with this very value: stop that app first',
        })
      APPS.set(backend, apps + 1)
      isOpen = true
      await log.open()
      await store.open()
    },
    async close() {
      if (!isOpen) return
      isOpen = false
      const left = (APPS.get(backend) ?? 1) - 1
      APPS.set(backend, left)
      if (left > 0) return
      await store.close()
      await log.close()
    },
  }
}
