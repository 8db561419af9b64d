// Stores with defects of statuses, progress ranges and their pruning.
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { EventStore, Unit } from '../../../src/ports/event-store.ts'
import type { StatusChange, StatusQuery } from '../../../src/ports/status.ts'
import type { Defect } from './log-defects.ts'
import { without } from './log-defects.ts'
import { altering, answering, inStore } from './store-defects.ts'

const ALL_PAIRS =
  'Every change of a status that is allowed is done; any other is refused and changes nothing'
const WRITTEN = 'A unit that is done has written its statuses, with everything that they say'
const PAGES = 'Statuses come in the order of consumer, topic, partition and offset, page by page'
const AGAIN = 'A settled event may begin again, and a discarded one changes in no other way'
const FOUND = 'Statuses are found by consumer, by status and by the id of the event'
const NOT_DONE = 'A unit that is fenced, in conflict or refused changes no status'
const STALE = 'A change that does not begin at the stored status is a conflict and changes nothing'
const NEWEST = 'The range of an event is the newest that begins at or before it'
const PRUNED = 'Pruning removes old statuses of completed and discarded events only'

/** The unit with each change made from the stored status, so that none is stale. */
async function fromStored(store: EventStore, unit: Unit): Promise<Unit> {
  const statuses: StatusChange[] = []
  for (const change of unit.statuses) {
    const { consumer, eventId } = change
    const found = await store.statuses({ consumer, eventId, limit: 10_000 })
    const stored = found.find((each) => {
      return each.offset === change.offset && each.partition === change.partition
    })
    statuses.push({ ...change, from: stored?.status ?? 'UNPROCESSED' })
  }
  return { ...unit, statuses }
}

/** A store that reads statuses differently. */
const reading =
  (alter: (query: StatusQuery) => StatusQuery) =>
  (store: EventStore): Partial<EventStore> => ({
    statuses: (query) => store.statuses(alter(query)),
  })

const changeDefects: readonly Defect[] = [
  inStore(
    'statuses are not written',
    WRITTEN,
    altering((unit) => ({ ...unit, statuses: [] })),
  ),
  inStore(
    'the detail of a status is lost',
    WRITTEN,
    altering((unit) => ({
      ...unit,
      statuses: unit.statuses.map((each) => ({ ...each, detail: null })),
    })),
  ),
  inStore('statuses are written apart from their unit', NOT_DONE, (store) => ({
    async commit(unit) {
      await store.commit({ ...EMPTY_UNIT, statuses: unit.statuses })
      return store.commit({ ...unit, statuses: [] })
    },
  })),
  inStore('a status that is refused is left out', ALL_PAIRS, (store) => ({
    commit: (unit) => store.commit(unit).catch(() => store.commit({ ...unit, statuses: [] })),
  })),
  inStore('the rest of a unit with a refused status is written', ALL_PAIRS, (store) => ({
    commit: (unit) =>
      store.commit(unit).catch(async (cause: unknown) => {
        await store.commit({ ...unit, statuses: [] })
        throw cause
      }),
  })),
  inStore('a retry cannot fail', ALL_PAIRS, (store) => ({
    async commit(unit) {
      if (unit.statuses.some(({ from, status }) => from === 'RETRY' && status === 'FAILED'))
        throw new Error('an operator may not do this')
      return store.commit(unit)
    },
  })),
  inStore('a completed event may begin anew', ALL_PAIRS, (store) => ({
    async commit(unit) {
      const isAgain = unit.statuses.some(({ from }) => from === 'COMPLETED')
      return isAgain ? { status: 'done', places: [] } : store.commit(unit)
    },
  })),
  inStore('a change begins at whatever is stored', STALE, (store) => ({
    commit: async (unit) => store.commit(await fromStored(store, unit)),
  })),
  inStore('a completed event never begins again', AGAIN, (store) => ({
    async commit(unit) {
      const stored = await fromStored(store, unit)
      const isAgain = stored.statuses.some(({ from }, at) => {
        return from === 'COMPLETED' && unit.statuses[at]?.from === 'UNPROCESSED'
      })
      return isAgain ? { status: 'conflict', rows: [] } : store.commit(unit)
    },
  })),
  inStore('a discarded event may be redriven', AGAIN, (store) => ({
    async commit(unit) {
      const answer = await store.commit(unit)
      const isRedrive = unit.statuses.some(({ from }) => from === 'FAILED')
      return answer.status === 'conflict' && isRedrive ? { status: 'done', places: [] } : answer
    },
  })),
  inStore(
    'a stale status fences its unit',
    STALE,
    answering((answer, { statuses }) =>
      answer.status === 'conflict' && statuses.length > 0
        ? { status: 'fenced', resources: [] }
        : answer,
    ),
  ),
  inStore(
    'a status that lost a race is tried again',
    'Of units that race to change a status exactly one is done, the others conflict',
    (store) => ({
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status !== 'conflict' || unit.statuses.length === 0) return answer
        return store.commit(await fromStored(store, unit))
      },
    }),
  ),
  inStore(
    'all consumers share the status of an event',
    'Each consumer has its own status of an event, and each event of a partition its own',
    (store) => ({
      commit: async (unit) => {
        const statuses = unit.statuses.map((each) => ({ ...each, consumer: 'shop/cart' }))
        return store.commit(await fromStored(store, { ...unit, statuses }))
      },
    }),
  ),
  inStore(
    'a unit changes 1,000 statuses at most',
    'One unit may change 3,000 statuses',
    altering((unit) => ({ ...unit, statuses: unit.statuses.slice(0, 1_000) })),
  ),
  inStore(
    'statuses do not outlive the process',
    'Statuses and progress ranges are there for the next instance',
    (store) => ({ can: { ...store.can, ack: 'disk' } }),
  ),
]

const listDefects: readonly Defect[] = [
  inStore('statuses come in the order in which they changed', PAGES, (store) => ({
    statuses: async (query) =>
      (await store.statuses(query)).toSorted((a, b) => (a.eventId < b.eventId ? -1 : 1)),
  })),
  inStore(
    'every page of statuses is the first',
    PAGES,
    reading((query) => without(query, 'after')),
  ),
  inStore(
    'a page of statuses has one too many',
    PAGES,
    reading((query) => ({ ...query, limit: query.limit + 1 })),
  ),
  inStore('partitions are in the order of text', PAGES, (store) => ({
    statuses: async (query) =>
      (await store.statuses({ ...query, limit: 10_000 }))
        .toSorted((a, b) => {
          if (a.consumer !== b.consumer || a.topic !== b.topic) return 0
          return String(a.partition) < String(b.partition) ? -1 : 1
        })
        .slice(0, query.limit),
  })),
  inStore(
    'statuses of all consumers are found',
    FOUND,
    reading((query) => without(query, 'consumer')),
  ),
  inStore(
    'all statuses are found',
    FOUND,
    reading((query) => without(query, 'status')),
  ),
  inStore(
    'statuses of all events are found',
    FOUND,
    reading((query) => without(query, 'eventId')),
  ),
  inStore(
    'discarded events are not found',
    'Failed events are found together with those that were discarded, in one order',
    (store) => ({
      statuses: async (query) =>
        (await store.statuses(query)).filter(({ resolution }) => resolution === null),
    }),
  ),
  inStore(
    'a page of statuses begins where the last one is now',
    'A page of statuses begins behind the last one, also after that has changed',
    (store) => ({
      async statuses({ after, ...query }) {
        const all = await store.statuses({ ...query, limit: 10_000 })
        const at = after ? all.findIndex(({ offset }) => offset === after.offset) : -1
        return all.slice(at + 1, at + 1 + query.limit)
      },
    }),
  ),
]

const rangeDefects: readonly Defect[] = [
  inStore(
    'ranges are not written',
    NEWEST,
    altering((unit) => ({
      ...unit,
      progress: unit.progress.map((each) => without(each, 'range')),
    })),
  ),
  inStore('ranges come in the order of offsets', NEWEST, (store) => ({
    ranges: (events) => store.ranges(events.toSorted((a, b) => a.offset - b.offset)),
  })),
  inStore('every unit begins a range', NEWEST, (store) => ({
    commit: (unit) =>
      store.commit({
        ...unit,
        progress: unit.progress.map((each) => ({ range: { by: 'unit', at: 0 }, ...each })),
      }),
  })),
  inStore(
    'the first range holds for all that came before it',
    'A range is not there before its first offset, or where its unit is not done',
    (store) => ({
      ranges: (events) =>
        store.ranges(events.map((each) => ({ ...each, offset: Math.max(5, each.offset) }))),
    }),
  ),
  inStore(
    'a new range leaves those behind it',
    'After progress was taken back, a new range replaces those behind its beginning',
    (store) => {
      const begun: number[] = []
      return {
        commit(unit) {
          for (const { from, range } of unit.progress) if (range && from !== null) begun.push(from)
          return store.commit(unit)
        },
        async ranges(events) {
          const found = await store.ranges(events)
          return found.map((each, at) => {
            const last = begun.filter((from) => from <= (events[at]?.offset ?? 0))
            return each && { ...each, offset: Math.max(...last) }
          })
        },
      }
    },
  ),
]

const pruningDefects: readonly Defect[] = [
  inStore('young statuses are pruned', PRUNED, (store) => ({
    pruneLedger: (pruning) => store.pruneLedger({ ...pruning, statusesBefore: Infinity }),
  })),
  inStore('nothing is pruned', PRUNED, () => ({ pruneLedger: async () => 0 })),
  inStore('pruning does not say how much it removed', PRUNED, (store) => ({
    pruneLedger: async (pruning) => Math.min(1, await store.pruneLedger(pruning)),
  })),
  inStore(
    'the oldest range is kept only',
    'Pruning keeps the newest ranges of each consumer and partition',
    (store) => ({
      pruneLedger: (pruning) => store.pruneLedger({ ...pruning, rangesMax: 1 }),
    }),
  ),
]

export const statusDefects: readonly Defect[] = [
  ...changeDefects,
  ...listDefects,
  ...rangeDefects,
  ...pruningDefects,
]
