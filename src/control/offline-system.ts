import type { Clock } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { commandsTopic } from '../contract/contract.ts'
import { createDeadLetterAlarms, createHeldKeyAlarms, rewind } from '../engine/operations/index.ts'
import { createDeadLetters } from '../engine/dead-letters/index.ts'
import { readCatalog } from '../engine/plan/index.ts'
import { createDelayClock } from '../engine/delays/index.ts'
import { heldKeys, readOperation } from '../engine/listing/index.ts'
import type { Alarm, OperationDetails, ListSource } from '../engine/listing/index.ts'
import type { OperationState } from '../engine/producer/index.ts'
import { ENGINE_OPTIONS, createPauses } from '../engine/context/index.ts'
import type { Backend } from '../ports/event-store.ts'
import type { System } from './system.ts'

/** A system whose data is opened without a running app. */
export interface OfflineSystem extends System {
  close(): Promise<void>
}

/** How long pauses are cached: no other process changes them. */
const PAUSES_CACHE_MS = 60_000

/** Opens the data of a backend without the services that wrote it. */
export async function openOfflineSystem(backend: Backend, clock: Clock): Promise<OfflineSystem> {
  const { log, store } = backend
  await log.open()
  await store.open()
  const catalog = await readCatalog(store)
  const services = catalog.services.map(({ name }) => name)
  const pauses = createPauses(store, clock, catalog.services, PAUSES_CACHE_MS)
  const delays = createDelayClock(store, clock, () => undefined)
  // Data of an earlier version has no delay clock.
  await delays.load().catch(() => undefined)
  return {
    backend,
    catalog,
    clock,
    delays,
    deadLetters: createDeadLetters({ backend, catalog, clock, delays, pauses }),
    async health() {
      await pauses.refreshIfStale()
      const paused = services.filter(pauses.isPaused)
      const { status, ack, detail } = await log.health()
      const alarms =
        status === 'failing' ? [] : await heldKeyAlarms({ backend, catalog, clock, delays })
      const report = { ack, paused, slowRules: [], slowUnits: [], refolds: [], groups: [], alarms }
      if (status === 'failing') return { status, ...report, detail }
      const idleStatus = alarms.length > 0 ? 'degraded' : paused.length > 0 ? 'paused' : 'well'
      return { status: idleStatus, ...report, detail: 'its data can be read' }
    },
    setPaused: (service, isPaused) => pauses.setPaused(service, isPaused),
    rewind: (asked) => rewind({ backend, catalog, pauses }, asked),
    async rebuild(projection) {
      throw new Fault('DATA_READ_ONLY', { detail: `no app runs the rules of ${projection}` })
    },
    async operation(id, topic) {
      const owned = catalog.services.flatMap(({ owns }) => owns.map(commandsTopic))
      for (const each of topic === undefined ? owned : [topic]) {
        const record = await log.find?.(each, id)
        const operation =
          record && (await readOperation({ backend, catalog, clock, delays }, record))
        if (operation) return operationStateOf(operation)
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
function operationStateOf({ state, issues = [], isAccepted }: OperationDetails): OperationState {
  const { kind, status, reason, code } = state
  if (kind === 'pending') return { status: 'pending', isAccepted }
  if (kind === 'refused') return { status: 'refused', code: reason ?? '', issues }
  return {
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(code === undefined ? {} : { code }),
  } as OperationState
}

/** Alarms of the first held keys, with the default thresholds. */
async function heldKeyAlarms(data: ListSource): Promise<readonly Alarm[]> {
  const { items } = await heldKeys(data)
  const holds = items.map(({ nextAttemptAt: due = Infinity, ...each }) => ({ ...each, due }))
  const { heldAlarmMs, heldAlarmAttempts } = ENGINE_OPTIONS
  const thresholds = {
    heldAlarmMs: heldAlarmMs.default,
    heldAlarmAttempts: heldAlarmAttempts.default,
  }
  const now = data.clock.now()
  return [...createHeldKeyAlarms([holds], thresholds, now), ...createDeadLetterAlarms([holds], now)]
}
