// The shelves service over one backend in simulated time, with apps that start, crash and change.
import assert from 'node:assert/strict'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { ConsumerStatus } from '../../../src/engine/operations/consumer-status.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { ShelvesVariant } from './shelves-service.ts'
import { TABLE, readRows, expectedRows, createShelvesService } from './shelves-service.ts'
import type { Simulation } from './simulation.ts'
import { caughtUp, createSimulation } from './simulation.ts'

type Rows = Promise<Record<string, unknown>>

export interface ShelvesWorld extends Simulation {
  /** Reported failures. */
  readonly broken: readonly string[]
  /** Projections whose rows were made by a different source text. */
  readonly changed: readonly string[]
  /** Waits for a promise while everything else continues. */
  until<T>(promise: Promise<T>): Promise<T>
  startApp(
    bend?: ShelvesVariant,
    around?: Interceptor,
    engine?: object,
  ): Promise<{ app: App; crash(): void }>
  settle(
    app: App,
  ): Promise<readonly Pick<ConsumerStatus, 'consumer' | 'accepted' | 'completed' | 'pending'>[]>
  /** The stored rows. */
  rows(table?: string): Rows
  /** The expected rows. */
  expected(bend?: ShelvesVariant): Rows
  /** Waits until no shadow rows are left. */
  shadowsGone(): Promise<void>
}

export const SHADOW = `${TABLE}.shadow`
export const NAME = 'store/shelves'

/** One backend in simulated time, and apps on it. */
export function createShelvesWorld(seed: number): ShelvesWorld {
  const stage: Simulation = createSimulation(memory, seed)
  const { clock, backend } = stage
  const broken: string[] = []
  const changed: string[] = []
  return {
    ...stage,
    broken,
    changed,
    until: <T>(promise: Promise<T>): Promise<T> => clock.until(promise),
    async startApp(bend: ShelvesVariant = {}, around?: Interceptor, engine: object = {}) {
      const { backend: own, clock: ownClock, random, crash } = stage.instance(around)
      const app = await clock.until(
        start([createShelvesService(bend)], own, {
          clock: ownClock,
          random,
          engine: { leaseMs: 1_000, retryDelayMs: 50, ...engine },
          onRuleError: () => undefined,
          onChangedSource: ({ projection }) => void changed.push(projection),
          onBackendError: (about, cause) => void broken.push(`${about}: ${String(cause)}`),
        }),
      )
      return { app, crash }
    },
    async settle(app: App) {
      return clock.until(caughtUp(clock, app))
    },
    rows: (table?: string) => clock.until(readRows(backend, table)),
    expected: (bend?: ShelvesVariant) => clock.until(expectedRows(backend, bend)),
    async shadowsGone() {
      for (let count = 0; count < 200; count += 1) {
        const [row] = await clock.until(
          backend.store.get([{ table: 'store.control', key: 'builds' }]),
        )
        if (!row?.body.includes('"shadow"')) break
        await clock.advance(20)
      }
      // Without any rebuild, there is no such table.
      const left = readRows(backend, SHADOW).catch(() => ({}))
      assert.deepEqual(await clock.until(left), {})
      const progress = await clock.until(backend.store.progress([`${NAME}.shadow`]))
      assert.ok(progress.every(({ next, accepted }) => next === 0 && accepted === 0))
    },
  }
}
