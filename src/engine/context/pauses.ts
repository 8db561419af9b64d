import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import { Fault } from '../../base/errors/fault.ts'
import { unknownNameDetail } from '../../base/options.ts'
import type { EventStore, RowKey } from '../../ports/event-store.ts'
import { controlTable } from '../plan/index.ts'
import { updateRow } from '../rows/index.ts'

/**
 * Pauses of services, and changes of progress and holds, by operators. Stored with each service's rows, so that a
 * pause survives a restart and other processes see it within `lookMs`.
 */
export interface Pauses {
  /** Reads them again if they may be out of date. */
  refreshIfStale(): Promise<void>
  isPaused(service: string): boolean
  /** How often operators have changed progress or holds of the service, ever. */
  changeCount(service: string): number
  /** Reads them now, for everything in this process. */
  refresh(): Promise<void>
  /** Resolves when a pause has changed, or at the latest when it is time to read again. */
  waitForChange(signal: AbortSignal): Promise<void>
  /**
   * Idempotent. Current units commit first; later records wait in the log.
   *
   * @throws Fault `SERVICE_NOT_FOUND`, `STORE_UNKNOWN`
   */
  setPaused(service: string, isPaused: boolean): Promise<void>
}

const pauseKey = (service: string): RowKey => ({ table: controlTable(service), key: 'pause' })
/** The version of this row counts the changes of operators: rewinds, redrives and discards. */
export const changeCountKey = (service: string): RowKey => {
  return { table: controlTable(service), key: 'rewound' }
}

/** A service, with the id its rows are stored under. */
interface PausableService {
  readonly id: string
  readonly name: string
}

export function createPauses(
  store: EventStore,
  clock: Clock,
  services: readonly PausableService[],
  lookMs: number,
): Pauses {
  const paused = new Set<string>()
  const rewinds = new Map<string, number>()
  const changes = createNotifier(clock)
  let lookedAt = -Infinity

  let looking: Promise<void> | undefined

  /** Concurrent callers wait for the same read. */
  async function refreshIfStale(): Promise<void> {
    if (clock.elapsed() - lookedAt < lookMs) return
    looking ??= read().finally(() => (looking = undefined))
    await looking
  }

  async function read(): Promise<void> {
    const askedAt = clock.elapsed()
    const ids = services.map(({ id }) => id)
    const rows = await store.get([...ids.map(pauseKey), ...ids.map(changeCountKey)])
    for (const [at, { name: service }] of services.entries()) {
      rewinds.set(service, rows[at + services.length]?.version ?? 0)
      const isPaused = rows[at] !== undefined
      if (isPaused === paused.has(service)) continue
      if (isPaused) paused.add(service)
      else paused.delete(service)
      changes.notify()
    }
    lookedAt = askedAt
  }

  async function refresh(): Promise<void> {
    // A read that began before the write may not have seen it.
    await looking?.catch(() => undefined)
    lookedAt = -Infinity
    await refreshIfStale()
  }

  return {
    refreshIfStale,
    refresh,
    changeCount: (service) => rewinds.get(service) ?? 0,
    isPaused: (service) => paused.has(service),
    waitForChange: (signal) => changes.wait(lookMs, signal),
    async setPaused(service, isPaused) {
      const found = services.find(({ name }) => name === service)
      if (!found) {
        const detail = unknownNameDetail(
          service,
          services.map(({ name }) => name),
        )
        throw new Fault('SERVICE_NOT_FOUND', { detail, ids: { service } })
      }
      await writePause(store, clock, found, isPaused, lookMs)
      await refresh()
    },
  }
}

async function writePause(
  store: EventStore,
  clock: Clock,
  { id, name }: PausableService,
  isPaused: boolean,
  retryDelayMs: number,
): Promise<void> {
  await updateRow({ store, clock, retryDelayMs }, pauseKey(id), `a pause of ${name}`, (row) => {
    if ((row !== undefined) === isPaused) return undefined
    return isPaused ? JSON.stringify({ at: clock.now() }) : null
  })
}
