import { Fault } from '../base/errors/fault.ts'
import type { Backend } from '../ports/event-store.ts'

/** The number of apps of this process that have each backend open. */
const APPS_PER_BACKEND = new WeakMap<Backend, number>()

/** Opens and closes a backend that several apps of a process may share. */
export interface BackendHandle {
  /** @throws Fault `DATA_OWNED` if another app uses the backend and it cannot be shared */
  open(): Promise<void>
  /** Closes the backend once its last app has called it. Idempotent. */
  close(): Promise<void>
}

/** A handle for one app. `backend` identifies what is shared; `calls` are the ports that the app calls. */
export function createBackendHandle(
  backend: Backend,
  calls: Pick<Backend, 'log' | 'store'>,
): BackendHandle {
  const { log, store } = calls
  let isOpen = false
  return {
    async open() {
      const apps = APPS_PER_BACKEND.get(backend) ?? 0
      if (apps > 0 && !store.can.shared)
        throw new Fault('DATA_OWNED', {
          detail:
            `${backend.directory ?? 'the backend'} is in use by another app of this process, which was ` +
            'started with the same backend value: stop that app first',
        })
      APPS_PER_BACKEND.set(backend, apps + 1)
      isOpen = true
      await log.open()
      await store.open()
    },
    async close() {
      if (!isOpen) return
      isOpen = false
      const left = (APPS_PER_BACKEND.get(backend) ?? 1) - 1
      APPS_PER_BACKEND.set(backend, left)
      if (left > 0) return
      await store.close()
      await log.close()
    },
  }
}
