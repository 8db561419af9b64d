import { bell } from '../base/bell.ts'
import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { unknownOf } from '../base/options.ts'
import type { EventStore, RowKey } from '../ports/store.ts'
import { controlTable } from './plan.ts'
import { updateRow } from './write-rows.ts'

/**
 * Pauses of services and rewinds of rules by operators. Stored with each service's rows, so that a
 * pause survives a restart and other processes see it within `lookMs`.
 */
export interface Pauses {
  /** Reads them again if they may be out of date. */
  look(): Promise<void>
  isPaused(service: string): boolean
  /** How often rules of the service were rewound, ever. */
  rewinds(service: string): number
  /** Reads them now, for everything in this process. */
  refresh(): Promise<void>
  /** Resolves when a pause has changed, or at the latest when it is time to read again. */
  changed(signal: AbortSignal): Promise<void>
  /**
   * Idempotent. Current units commit first; later records wait in the log.
   *
   * @throws Fault `SERVICE_NOT_FOUND`, `STORE_UNKNOWN`
   */
  set(service: string, isPaused: boolean): Promise<void>
}

const rowOf = (service: string): RowKey => ({ table: controlTable(service), key: 'pause' })
/** The version of this row counts the rewinds of a service. */
export const rewindsRow = (service: string): RowKey => {
  return { table: controlTable(service), key: 'rewound' }
}

/** A service, with the id its rows are stored under. */
interface Controlled {
  readonly id: string
  readonly name: string
}

export function pausesOf(
  store: EventStore,
  clock: Clock,
  services: readonly Controlled[],
  lookMs: number,
): Pauses {
  const paused = new Set<string>()
  const rewinds = new Map<string, number>()
  const changes = bell(clock)
  let lookedAt = -Infinity

  let looking: Promise<void> | undefined

  /** Concurrent callers wait for the same read. */
  async function look(): Promise<void> {
    if (clock.elapsed() - lookedAt < lookMs) return
    looking ??= read().finally(() => (looking = undefined))
    await looking
  }

  async function read(): Promise<void> {
    const askedAt = clock.elapsed()
    const ids = services.map(({ id }) => id)
    const rows = await store.get([...ids.map(rowOf), ...ids.map(rewindsRow)])
    for (const [at, { name: service }] of services.entries()) {
      rewinds.set(service, rows[at + services.length]?.version ?? 0)
      const isPaused = rows[at] !== undefined
      if (isPaused === paused.has(service)) continue
      if (isPaused) paused.add(service)
      else paused.delete(service)
      changes.ring()
    }
    lookedAt = askedAt
  }

  async function refresh(): Promise<void> {
    // A read that began before the write may not have seen it.
    await looking?.catch(() => undefined)
    lookedAt = -Infinity
    await look()
  }

  return {
    look,
    refresh,
    rewinds: (service) => rewinds.get(service) ?? 0,
    isPaused: (service) => paused.has(service),
    changed: (signal) => changes.wait(lookMs, signal),
    async set(service, isPaused) {
      const found = services.find(({ name }) => name === service)
      if (!found) {
        const detail = unknownOf(
          service,
          services.map(({ name }) => name),
        )
        throw new Fault('SERVICE_NOT_FOUND', { detail, ids: { service } })
      }
      await write(store, clock, found, isPaused, lookMs)
      await refresh()
    },
  }
}

async function write(
  store: EventStore,
  clock: Clock,
  { id, name }: Controlled,
  isPaused: boolean,
  retryDelayMs: number,
): Promise<void> {
  await updateRow({ store, clock, retryDelayMs }, rowOf(id), `a pause of ${name}`, (row) => {
    if ((row !== undefined) === isPaused) return undefined
    return isPaused ? JSON.stringify({ at: clock.now() }) : null
  })
}
