// Stores with defects of swaps.
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { EventStore, Unit } from '../../../src/ports/event-store.ts'
import type { Defect } from './log-defects.ts'
import { without } from './log-defects.ts'
import { inStore } from './store-defects.ts'

const WHOLE =
  'A swap exchanges rows, versions and indexes of two tables, and progress of two consumers'

/** Consumers that have no progress. */
const NONE = ['nobody', 'nobody else'] as const

const tablesOf = ({ swap }: Unit): readonly [string, string] => swap?.tables ?? ['', '']

/** A store that handles units with a swap differently. */
const swapping =
  (commit: (unit: Unit, store: EventStore) => ReturnType<EventStore['commit']>) =>
  (store: EventStore): Partial<EventStore> => ({
    commit: (unit) => (unit.swap ? commit(unit, store) : store.commit(unit)),
  })

export const swapDefects: readonly Defect[] = [
  inStore(
    'a swap is forgotten',
    WHOLE,
    swapping((unit, store) => store.commit(without(unit, 'swap'))),
  ),
  inStore(
    'a swap leaves the progress where it was',
    WHOLE,
    swapping((unit, store) =>
      store.commit({ ...unit, swap: { tables: tablesOf(unit), consumers: NONE } }),
    ),
  ),
  inStore(
    'a swap moves the rows one way only',
    WHOLE,
    swapping(async (unit, store) => {
      const [, shadow] = tablesOf(unit)
      const answer = await store.commit(unit)
      const old = await store.scan({ table: shadow, limit: 100 })
      const rows = old.map(({ table, key, version }) => {
        return { table, key, expected: version, version, body: null }
      })
      await store.commit({ ...EMPTY_UNIT, rows })
      return answer
    }),
  ),
  inStore(
    'a swap leaves the statuses where they were',
    'A swap gives the statuses and ranges of the second consumer to the first, whose own go',
    (store) => ({
      commit: (unit) =>
        store.commit({
          ...unit,
          statuses: unit.statuses.map((each) => {
            return each.consumer.endsWith('.shadow') ? { ...each, consumer: 'shadow' } : each
          }),
        }),
    }),
  ),
  inStore(
    'a swap comes first',
    'A swap comes after the rows and the progress of its own unit',
    swapping(async (unit, store) => {
      if (unit.swap) await store.commit({ ...EMPTY_UNIT, swap: unit.swap })
      return store.commit(without(unit, 'swap'))
    }),
  ),
  inStore(
    'a swap happens although its unit is refused',
    'A unit that is fenced, in conflict or refused swaps nothing',
    swapping(async (unit, store) => {
      const answer = await store.commit(unit)
      if (answer.status === 'done' || !unit.swap) return answer
      await store.commit({ ...EMPTY_UNIT, swap: unit.swap })
      return answer
    }),
  ),
  inStore(
    'a second swap leaves the progress where it was',
    'Rows and progress continue from the swapped state; a second swap restores the first',
    (store) => {
      let count = 0
      return {
        commit(unit) {
          if (!unit.swap) return store.commit(unit)
          count += 1
          const { tables } = unit.swap
          return store.commit(count === 1 ? unit : { ...unit, swap: { tables, consumers: NONE } })
        },
      }
    },
  ),
]
