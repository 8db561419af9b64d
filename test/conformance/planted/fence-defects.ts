import type { Advance, EventStore, Unit } from '../../../src/ports/event-store.ts'
import { altering, answering, inStore } from './store-defects.ts'
import type { Defect } from './log-defects.ts'
import { ticks } from './log-defects.ts'

async function withCurrentProgress(store: EventStore, unit: Unit): Promise<Unit> {
  const kept = await store.progress(unit.progress.map(({ consumer }) => consumer))
  const nextOf = ({ consumer, topic, partition }: Advance): number =>
    kept.find(
      (each) => each.consumer === consumer && each.topic === topic && each.partition === partition,
    )?.next ?? 0
  return { ...unit, progress: unit.progress.map((each) => ({ ...each, from: nextOf(each) })) }
}

export const fenceDefects: readonly Defect[] = [
  inStore(
    'a commit ignores fences',
    'A unit under an outdated lease is fenced, by name, and changes nothing',
    altering((unit) => ({ ...unit, fences: [] })),
  ),
  inStore(
    'a fence lets newer generations pass',
    'A unit under an outdated lease is fenced, by name, and changes nothing',
    altering((unit) => ({
      ...unit,
      fences: unit.fences.map((claim) => ({
        ...claim,
        generation: Math.min(1, claim.generation),
      })),
    })),
  ),
  inStore(
    'a fenced unit names all its claims',
    'A unit under an outdated lease is fenced, by name, and changes nothing',
    answering((answer, { fences }) =>
      answer.status === 'fenced'
        ? { status: 'fenced', resources: fences.map(({ resource }) => resource) }
        : answer,
    ),
  ),
  inStore(
    'a fenced unit writes its rows',
    'A unit under an outdated lease is fenced, by name, and changes nothing',
    (store) => ({
      async commit(unit) {
        const answer = await store.commit(unit)
        if (answer.status === 'fenced')
          await store.commit({ ...unit, fences: [], progress: [], appends: [], streams: [] })
        return answer
      },
    }),
  ),
  inStore(
    'progress is not compared with where the unit began',
    'A unit whose progress did not begin where it is now is fenced and changes nothing',
    (store) => ({ commit: async (unit) => store.commit(await withCurrentProgress(store, unit)) }),
  ),
  inStore(
    'progress is looked at before the commit has its turn',
    'Of units that race from the same progress exactly one is done, the others are fenced',
    (store) => ({
      async commit(unit) {
        const current = await withCurrentProgress(store, unit)
        const isSame = unit.progress.every(({ from }, at) => from === current.progress[at]?.from)
        await ticks(10)
        let answer = await store.commit(unit)
        while (isSame && answer.status === 'fenced')
          answer = await store.commit(await withCurrentProgress(store, unit))
        return answer
      },
    }),
  ),
  inStore(
    'counts are those of the last unit',
    'Progress moves from where the unit began; counts add up',
    (store) => {
      let last: readonly Advance[] = []
      return {
        commit(unit) {
          last = unit.progress
          return store.commit(unit)
        },
        progress: async (consumers) =>
          (await store.progress(consumers)).map((progress) => ({
            ...progress,
            accepted: last[0]?.accepted ?? 0,
          })),
      }
    },
  ),
  inStore(
    'consumers share their progress',
    'Each consumer has its own progress in each partition of each topic',
    (store) => ({
      commit: (unit) =>
        store.commit({
          ...unit,
          progress: unit.progress.map((each) => ({ ...each, consumer: 'shop/cart' })),
        }),
    }),
  ),
  inStore(
    'progress is read consumer by consumer',
    'Progress is one consistent read: what one unit moved is never seen in part',
    (store) => ({
      async progress(consumers) {
        const all = []
        for (const consumer of consumers) {
          all.push(...(await store.progress([consumer])))
          await ticks(7)
        }
        return all
      },
    }),
  ),
]
