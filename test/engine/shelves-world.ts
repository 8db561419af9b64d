// The shelves service over one backend in simulated time, with apps that start, crash and change.
import assert from 'node:assert/strict'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { ConsumerStatus } from '../../src/engine/status.ts'
import type { Around } from '../../src/ports/through.ts'
import type { Bend } from './shelves.ts'
import { TABLE, rowsIn, rowsOf, shelvesOf } from './shelves.ts'
import type { Stage } from './stage.ts'
import { caughtUp, stageOf } from './stage.ts'

type Rows = Promise<Record<string, unknown>>

export interface World extends Stage {
  /** Reported failures. */
  readonly broken: readonly string[]
  /** Projections whose rows were made by a different source text. */
  readonly changed: readonly string[]
  /** Waits for a promise while everything else continues. */
  until<T>(promise: Promise<T>): Promise<T>
  launch(bend?: Bend, around?: Around, engine?: object): Promise<{ app: App; crash(): void }>
  settle(
    app: App,
  ): Promise<readonly Pick<ConsumerStatus, 'consumer' | 'accepted' | 'completed' | 'pending'>[]>
  /** The stored rows. */
  rows(table?: string): Rows
  /** The expected rows. */
  wanted(bend?: Bend): Rows
  /** Waits until no shadow rows are left. */
  swept(): Promise<void>
}

export const SHADOW = `${TABLE}.shadow`
export const NAME = 'store/shelves'

/** One backend in simulated time, and apps on it. */
export function worldOf(seed: number): World {
  const stage: Stage = stageOf(memory, seed)
  const { clock, backend } = stage
  const broken: string[] = []
  const changed: string[] = []
  return {
    ...stage,
    broken,
    changed,
    until: <T>(promise: Promise<T>): Promise<T> => clock.until(promise),
    async launch(bend: Bend = {}, around?: Around, engine: object = {}) {
      const { backend: own, clock: ownClock, random, crash } = stage.instance(around)
      const app = await clock.until(
        start([shelvesOf(bend)], own, {
          clock: ownClock,
          random,
          engine: { leaseMs: 1_000, retryDelayMs: 50, ...engine },
          faulted: () => undefined,
          onChangedSource: ({ projection }) => void changed.push(projection),
          broke: (about, cause) => void broken.push(`${about}: ${String(cause)}`),
        }),
      )
      return { app, crash }
    },
    async settle(app: App) {
      return clock.until(caughtUp(clock, app))
    },
    rows: (table?: string) => clock.until(rowsIn(backend, table)),
    wanted: (bend?: Bend) => clock.until(rowsOf(backend, bend)),
    async swept() {
      for (let count = 0; count < 200; count += 1) {
        const [row] = await clock.until(
          backend.store.get([{ table: 'store.control', key: 'builds' }]),
        )
        if (!row?.body.includes('"shadow"')) break
        await clock.advance(20)
      }
      // Without any rebuild, there is no such table.
      const left = rowsIn(backend, SHADOW).catch(() => ({}))
      assert.deepEqual(await clock.until(left), {})
      const progress = await clock.until(backend.store.progress([`${NAME}.shadow`]))
      assert.ok(progress.every(({ next, accepted }) => next === 0 && accepted === 0))
    },
  }
}
