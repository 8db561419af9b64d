import type { Lease } from '../../../src/ports/event-store.ts'
import { altering, answering, inStore } from './store-defects.ts'
import type { Defect } from './log-defects.ts'

const streamDefects: readonly Defect[] = [
  inStore(
    'a stream comes backwards',
    'A stream gives the events of one entity, as the log has them, in version order',
    (store) => ({
      stream: async (...given) => (await store.stream(...given)).toReversed(),
    }),
  ),
  inStore(
    'a stream holds all events of its table',
    'A stream gives the events of one entity, as the log has them, in version order',
    (store) => {
      const inOne = <K extends { readonly key: string }>(row: K): K => ({ ...row, key: 'all' })
      return {
        commit: (unit) => store.commit({ ...unit, streams: unit.streams.map(inOne) }),
        stream: (row, ...bounds) => store.stream(inOne(row), ...bounds),
      }
    },
  ),
  inStore(
    'a stream always begins with its first event',
    'A stream begins at the version asked for and ends at the limit',
    (store) => ({ stream: (row, _, limit) => store.stream(row, 0, limit) }),
  ),
  inStore(
    'a stream ignores its limit',
    'A stream begins at the version asked for and ends at the limit',
    (store) => ({ stream: (row, fromVersion) => store.stream(row, fromVersion, 10_000) }),
  ),
  inStore(
    'an event stands in one stream only',
    'One event may stand in the streams of several entities',
    altering((unit) => ({
      ...unit,
      streams: unit.streams.filter(
        ({ append }, at) => at === unit.streams.findIndex((entry) => entry.append === append),
      ),
    })),
  ),
  inStore(
    'streams are told apart without their case',
    'Streams of keys that look alike, and of several tables, are kept apart',
    (store) => {
      const small = <K extends { readonly key: string }>(row: K): K => {
        return { ...row, key: row.key.toLowerCase() }
      }
      return {
        commit: (unit) => store.commit({ ...unit, streams: unit.streams.map(small) }),
        stream: (row, ...bounds) => store.stream(small(row), ...bounds),
      }
    },
  ),
]

const appendDefects: readonly Defect[] = [
  inStore(
    'the appends of a unit are lost',
    'What a unit appends is in the log when the unit is done',
    altering((unit) => ({ ...unit, appends: [], streams: [] })),
  ),
  inStore(
    'the appends of a unit come later',
    'What a unit appends is in the log when the unit is done',
    (store, { log }) => ({
      async commit(unit) {
        const answer = await store.commit({ ...unit, appends: [], streams: [] })
        setTimeout(() => void log.append(unit.appends), 50).unref()
        return answer
      },
    }),
  ),
  inStore(
    'a store that says it is no database of the log appends to it',
    'What a unit appends is in the log when the unit is done',
    (store) => ({ can: { ...store.can, atomicWithLog: false } }),
  ),
  inStore(
    'the places of a unit come in another order',
    'A unit that is done names the place of each of its appends, in their order',
    answering((answer) =>
      answer.status === 'done' ? { ...answer, places: answer.places.toReversed() } : answer,
    ),
  ),
  inStore(
    'a unit drops what the log has already',
    'A unit that appends what the log has already, or cannot take, throws and changes nothing',
    (store, { log }) => ({
      async commit(unit) {
        const known = await Promise.all(
          unit.appends.map(async ({ topic, id }) => log.find?.(topic, id)),
        )
        const appends = unit.appends.filter((_, at) => known[at] === undefined)
        return store.commit({ ...unit, appends })
      },
    }),
  ),
  inStore(
    'units of more than 1,000 events are cut short',
    'One unit may append 5,000 events and write 3,000 rows',
    altering((unit) => ({
      ...unit,
      appends: unit.appends.slice(0, 1_000),
      streams: unit.streams.filter(({ append }) => append < 1_000),
    })),
  ),
]

const progressDefects: readonly Defect[] = [
  inStore(
    'progress never goes back',
    'A unit may take progress back, and what is handled again is counted again',
    altering((unit) => ({
      ...unit,
      progress: unit.progress.map((each) => ({
        ...each,
        next: Math.max(each.from ?? 0, each.next),
      })),
    })),
  ),
  inStore(
    'dead letters are not counted',
    'Progress moves from where the unit began; counts add up',
    altering((unit) => ({
      ...unit,
      progress: unit.progress.map((each) => ({ ...each, dead: 0, discarded: 0 })),
    })),
  ),
  inStore(
    'what has expired is not counted',
    'Progress moves from where the unit began; counts add up',
    altering((unit) => ({
      ...unit,
      progress: unit.progress.map((each) => ({ ...each, expired: 0 })),
    })),
  ),
]

const firstGeneration = (claim: Lease): Lease => ({ ...claim, generation: 1 })

const leaseDefects: readonly Defect[] = [
  inStore('everyone gets what it wants', 'A lease of a live member goes to nobody else', () => ({
    beat: async (_, wants) => {
      return { held: wants.map((resource) => ({ resource, generation: 1 })), revoke: [] }
    },
  })),
  inStore(
    'members with concurrent heartbeats get the same lease',
    'Members with concurrent heartbeats never get the same lease',
    (store) => {
      let latest: readonly Lease[] = []
      return {
        async beat(...given) {
          const { held, revoke } = await store.beat(...given)
          const [first] = latest
          latest = held
          return { held: first && held.length < 2 ? [...held, first] : held, revoke }
        },
      }
    },
  ),
  inStore(
    'a lease that changes hands keeps its generation',
    'A member that wants nothing any more releases everything at once',
    (store) => ({
      async beat(...given) {
        const { held, revoke } = await store.beat(...given)
        return { held: held.map(firstGeneration), revoke }
      },
    }),
  ),
  inStore(
    'a lease gets a new generation with each heartbeat',
    'A single member takes everything that it wants, and keeps it from heartbeat to heartbeat',
    (store) => {
      let beats = 0
      return {
        async beat(...given) {
          beats += 1
          const { held, revoke } = await store.beat(...given)
          return { held: held.map((claim) => ({ ...claim, generation: beats })), revoke }
        },
      }
    },
  ),
  inStore(
    'no lease is ever revoked',
    'A member keeps a lease above its share until it is revoked and released',
    (store) => ({
      beat: async (...given) => ({ held: (await store.beat(...given)).held, revoke: [] }),
    }),
  ),
  inStore('the first member keeps everything', 'Two members share evenly', (store) => ({
    beat: async (...given) => ({ held: (await store.beat(...given)).held, revoke: [] }),
  })),
  inStore(
    'everyone is given a share of all, whatever it wants',
    'Members that want different resources do not share',
    (store) => ({
      async beat(member, wants, ttlMs) {
        const { held } = await store.beat(member, wants, ttlMs)
        return { held: held.slice(0, 3), revoke: held.slice(3).map(({ resource }) => resource) }
      },
    }),
  ),
  inStore(
    'what is not wanted any more is kept',
    'A member that wants nothing any more releases everything at once',
    (store) => {
      const wanted = new Map<string, readonly string[]>()
      return {
        async beat(member, wants, ttlMs) {
          const all = [...new Set([...(wanted.get(member.id) ?? []), ...wants])]
          wanted.set(member.id, all)
          const { held } = await store.beat(member, all, ttlMs)
          return { held: held.filter(({ resource }) => wants.includes(resource)), revoke: [] }
        },
      }
    },
  ),
  inStore('leases never end', 'An expired lease goes to another member', (store) => ({
    beat: (member, wants) => store.beat(member, wants, 1e9),
  })),
  inStore(
    'what is renewed lasts for a moment only',
    'Heartbeats keep a lease for longer than its duration',
    (store) => {
      const begun = new Set<string>()
      return {
        beat(member, wants, ttlMs) {
          const isFirst = !begun.has(member.id)
          begun.add(member.id)
          return store.beat(member, wants, isFirst ? ttlMs : 1)
        },
      }
    },
  ),
]

const durabilityDefects: readonly Defect[] = [
  inStore(
    'the health of the store promises too much',
    'The health of the store names what an ack means',
    (store) => ({ health: async () => ({ ...(await store.health()), ack: 'replicated' }) }),
  ),
  inStore(
    'what a unit did does not outlive the process',
    'What a unit did is there for the next instance: rows, progress, streams, leases',
    (store) => ({ can: { ...store.can, ack: 'disk' } }),
  ),
  inStore(
    'a second process is let in where none is declared',
    'Two processes see each other’s rows, progress and leases',
    (store) => ({ can: { ...store.can, shared: false } }),
  ),
]

export const unitDefects: readonly Defect[] = [
  ...progressDefects,
  ...streamDefects,
  ...appendDefects,
  ...leaseDefects,
  ...durabilityDefects,
]
