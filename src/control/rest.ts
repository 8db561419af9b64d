import type { Clock } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import { commandsTopic } from '../contract/contract.ts'
import { heldAlarms } from '../engine/alarms.ts'
import { storedCatalog } from '../engine/catalog.ts'
import { delayClock } from '../engine/delay-clock.ts'
import { heldKeys } from '../engine/held-keys.ts'
import type { Alarm } from '../engine/listings.ts'
import type { OperationStanding } from '../engine/operation-list.ts'
import { standingOf } from '../engine/operation-list.ts'
import type { OperationState } from '../engine/operations.ts'
import { ENGINE_OPTIONS } from '../engine/options.ts'
import type { Listed } from '../engine/paging.ts'
import { pausesOf } from '../engine/pauses.ts'
import { rewind } from '../engine/rewind.ts'
import type { Backend } from '../ports/store.ts'
import type { System } from './system.ts'

/** A system whose data is opened without a running app. */
export interface RestingSystem extends System {
  close(): Promise<void>
}

/** How long pauses are cached: no other process changes them. */
const LOOK_MS = 60_000

/** Opens the data of a backend without the services that wrote it. */
export async function resting(backend: Backend, clock: Clock): Promise<RestingSystem> {
  const { log, store } = backend
  await log.open()
  await store.open()
  const catalog = await storedCatalog(store)
  const services = catalog.services.map(({ name }) => name)
  const pauses = pausesOf(store, clock, catalog.services, LOOK_MS)
  const delays = delayClock(store, clock, () => undefined)
  // Data of an earlier version has no delay clock.
  await delays.load().catch(() => undefined)
  return {
    backend,
    catalog,
    clock,
    delays,
    async health() {
      await pauses.look()
      const paused = services.filter(pauses.isPaused)
      const { is, ack, detail } = await log.health()
      const alarms = is === 'failing' ? [] : await heldIn({ backend, catalog, clock, delays })
      const told = { ack, paused, slowRules: [], slowUnits: [], refolds: [], groups: [], alarms }
      if (is === 'failing') return { is, ...told, detail }
      const rests = alarms.length > 0 ? 'degraded' : paused.length > 0 ? 'paused' : 'well'
      return { is: rests, ...told, detail: 'its data can be read' }
    },
    setPaused: (service, isPaused) => pauses.set(service, isPaused),
    rewind: (asked) => rewind({ backend, catalog, pauses }, asked),
    async rebuild(projection) {
      throw new Fault('DATA_READ_ONLY', { detail: `no app runs the rules of ${projection}` })
    },
    async operation(id, topic) {
      const owned = catalog.services.flatMap(({ owns }) => owns.map(commandsTopic))
      for (const each of topic === undefined ? owned : [topic]) {
        const record = await log.find?.(each, id)
        const standing = record && (await standingOf({ backend, catalog, clock, delays }, record))
        if (standing) return asState(standing)
      }
      return undefined
    },
    async close() {
      await store.close()
      await log.close()
    },
  }
}

/** The state of an operation, as a running app would return it. */
function asState({ state, complaints = [], isAccepted }: OperationStanding): OperationState {
  const { kind, status, reason } = state
  if (kind === 'pending') return { is: 'pending', isAccepted }
  if (kind === 'refused') return { is: 'refused', code: reason ?? '', complaints }
  return { is: status, ...(reason === undefined ? {} : { reason }) } as OperationState
}

/** Alarms of the first held keys, with the default thresholds. */
async function heldIn(data: Listed): Promise<readonly Alarm[]> {
  const { items } = await heldKeys(data)
  const holds = items.map(({ nextAttemptAt: due, ...each }) => ({ ...each, due }))
  const { heldAlarmMs, heldAlarmAttempts } = ENGINE_OPTIONS
  const thresholds = {
    heldAlarmMs: heldAlarmMs.initial,
    heldAlarmAttempts: heldAlarmAttempts.initial,
  }
  return heldAlarms([holds], thresholds, data.clock.now())
}
