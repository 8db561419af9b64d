import assert from 'node:assert/strict'
import type { StoreCase } from './sample.ts'
import { declared, moment, unitOf } from './sample.ts'
import type { Claim, EventStore } from '../store.ts'

/** Longer than any case, so that no lease expires. */
const LASTING_MS = 600_000

/** So short that leases expire while a case waits. */
const SHORT_MS = 50

const RESOURCES: readonly string[] = ['p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5', 'p-6']

/** A well-behaved member: it releases revoked leases with its next heartbeat. */
interface Beating {
  readonly held: ReadonlyMap<string, number>
  beat(): Promise<void>
}

function beating(
  store: EventStore,
  id: string,
  wants: readonly string[] = RESOURCES,
  ttlMs: number = LASTING_MS,
): Beating {
  let held: ReadonlyMap<string, number> = new Map()
  let release: readonly string[] = []
  return {
    get held() {
      return held
    },
    async beat() {
      const gives = release
      const answer = await store.beat({ id }, wants, ttlMs, gives)
      held = byResource(answer.held)
      release = answer.release
      for (const resource of held.keys()) assert.ok(wants.includes(resource), 'only what is wanted')
      for (const resource of gives) assert.ok(!held.has(resource), 'what is given up is gone')
      for (const resource of release) assert.ok(held.has(resource), 'only what is held')
    },
  }
}

function byResource(claims: readonly Claim[]): ReadonlyMap<string, number> {
  const held = new Map(claims.map(({ resource, generation }) => [resource, generation]))
  assert.equal(held.size, claims.length, 'no lease is named twice')
  return held
}

/** Checks that no two members hold the same lease. */
function mustBeApart(members: readonly Beating[]): void {
  const all = members.flatMap(({ held }) => [...held.keys()])
  assert.equal(new Set(all).size, all.length, `${all.join()} are held by one member each`)
}

/** Heartbeats of all members, until they hold all leases in even shares. */
async function settled(members: readonly Beating[], wanted = RESOURCES): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    for (const member of members) {
      await member.beat()
      mustBeApart(members)
    }
    const sizes = members.map(({ held }) => held.size)
    const sum = sizes.reduce((total, size) => total + size, 0)
    if (sum === wanted.length && Math.max(...sizes) - Math.min(...sizes) <= 1) return
  }
  assert.fail(`shares of ${members.map(({ held }) => held.size).join(' and ')}`)
}

const isFenced = async (store: EventStore, held: ReadonlyMap<string, number>): Promise<boolean> => {
  const fences = [...held].map(([resource, generation]) => ({ resource, generation }))
  const { is } = await store.commit(unitOf({ fences }))
  assert.ok(is === 'done' || is === 'fenced')
  return is === 'fenced'
}

/** Leases and how they are shared. */
export const claimCases: readonly StoreCase[] = [
  {
    promise:
      'A single member takes everything that it wants, and keeps it from heartbeat to heartbeat',
    async run({ backend: { store } }) {
      const one = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual([...byResource(one.held).keys()].toSorted(), RESOURCES)
      assert.deepEqual(one.release, [])
      const again = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual(byResource(again.held), byResource(one.held))
      assert.deepEqual(again.release, [])
      assert.equal(await isFenced(store, byResource(one.held)), false)
    },
  },
  {
    promise: 'A lease of a live member goes to nobody else',
    async run({ backend: { store } }) {
      await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      const two = await store.beat({ id: 'm-2' }, RESOURCES, LASTING_MS)
      assert.deepEqual(two, { held: [], release: [] })
    },
  },
  {
    promise: 'A member keeps a lease above its share until it is revoked and released',
    async run({ backend: { store } }) {
      const four = RESOURCES.slice(0, 4)
      const before = byResource((await store.beat({ id: 'm-1' }, four, LASTING_MS)).held)
      await store.beat({ id: 'm-2' }, four, LASTING_MS)
      const { held, release } = await store.beat({ id: 'm-1' }, four, LASTING_MS)
      assert.equal(release.length, 2)
      assert.deepEqual(byResource(held), before)
      const less = await store.beat({ id: 'm-1' }, four, LASTING_MS, release)
      const kept = four.filter((resource) => !release.includes(resource))
      assert.deepEqual([...byResource(less.held).keys()].toSorted(), kept)
      const other = byResource((await store.beat({ id: 'm-2' }, four, LASTING_MS)).held)
      assert.deepEqual([...other.keys()].toSorted(), release.toSorted())
      for (const [resource, generation] of other)
        assert.ok(generation > (before.get(resource) ?? Infinity), 'a higher generation')
    },
  },
  {
    promise: 'Two members share evenly',
    async run({ backend: { store } }) {
      const members = ['m-1', 'm-2'].map((id) => beating(store, id))
      await members[0]?.beat()
      assert.equal(members[0]?.held.size, 7)
      await settled(members)
    },
  },
  {
    promise: 'Three members share evenly, and again when one of them leaves',
    async run({ backend: { store } }) {
      const members = ['m-1', 'm-2', 'm-3'].map((id) => beating(store, id))
      await settled(members.slice(0, 1))
      await settled(members.slice(0, 2))
      await settled(members)
      await store.beat({ id: 'm-3' }, [], LASTING_MS)
      await settled(members.slice(0, 2))
    },
  },
  {
    promise: 'Members that want different resources do not share',
    async run({ backend: { store } }) {
      const one = await store.beat({ id: 'm-1' }, RESOURCES.slice(0, 3), LASTING_MS)
      const two = await store.beat({ id: 'm-2' }, RESOURCES.slice(3), LASTING_MS)
      assert.equal(one.held.length, 3)
      assert.equal(two.held.length, 4)
      const again = await store.beat({ id: 'm-1' }, RESOURCES.slice(0, 3), LASTING_MS)
      assert.deepEqual([again.held.length, again.release], [3, []])
    },
  },
  {
    promise: 'A member gets what only it wants, whatever it shares with others',
    async run({ backend: { store } }) {
      const four = RESOURCES.slice(0, 4)
      const members = [beating(store, 'm-1', four), beating(store, 'm-2', four.slice(0, 2))]
      for (let round = 0; round < 10; round += 1) for (const member of members) await member.beat()
      mustBeApart(members)
      assert.deepEqual(
        members.map(({ held }) => held.size),
        [3, 1],
      )
    },
  },
  {
    promise: 'A member that wants nothing any more releases everything at once',
    async run({ backend: { store } }) {
      const before = byResource((await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)).held)
      assert.deepEqual(await store.beat({ id: 'm-1' }, [], LASTING_MS), { held: [], release: [] })
      const after = byResource((await store.beat({ id: 'm-2' }, RESOURCES, LASTING_MS)).held)
      assert.equal(after.size, 7)
      for (const [resource, generation] of after)
        assert.ok(generation > (before.get(resource) ?? Infinity))
      assert.equal(await isFenced(store, before), true)
    },
  },
  {
    promise: 'Members with concurrent heartbeats never get the same lease',
    async run({ backend: { store } }) {
      const members = ['m-1', 'm-2', 'm-3'].map((id) => beating(store, id))
      const generations = new Map<string, { generation: number; holder: number }>()
      for (let round = 0; round < 30; round += 1) {
        await Promise.all(members.map((member) => member.beat()))
        mustBeApart(members)
        for (const [holder, { held }] of members.entries())
          for (const [resource, generation] of held) {
            const last = generations.get(resource)
            assert.ok(generation >= (last?.generation ?? 0), 'generations only grow')
            if (last && last.holder !== holder)
              assert.ok(generation > last.generation, 'and change')
            generations.set(resource, { generation, holder })
          }
      }
      assert.equal(members.flatMap(({ held }) => [...held]).length, 7)
    },
  },
]

/** Expiry of leases. */
export const expiryCases: readonly StoreCase[] = [
  {
    promise: 'An expired lease goes to another member',
    async run({ backend }) {
      const log = await declared(backend)
      const { store } = backend
      const silent = byResource((await store.beat({ id: 'm-1' }, RESOURCES, SHORT_MS)).held)
      const other = beating(store, 'm-2', RESOURCES, LASTING_MS)
      for (let beats = 0; other.held.size < 7; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await moment(log)
        await other.beat()
      }
      for (const [resource, generation] of other.held)
        assert.ok(generation > (silent.get(resource) ?? Infinity), 'a higher generation')
      assert.equal(await isFenced(store, silent), true)
      assert.equal(await isFenced(store, other.held), false)
    },
  },
  {
    promise: 'A member that wakes up late is fenced, and joins again',
    async run({ backend }) {
      const log = await declared(backend)
      const { store } = backend
      const late = beating(store, 'm-1', RESOURCES, SHORT_MS)
      await late.beat()
      const stale = new Map(late.held)
      const other = beating(store, 'm-2', RESOURCES, LASTING_MS)
      for (let beats = 0; other.held.size < 7; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await moment(log)
        await other.beat()
      }
      const woken = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual(woken.held, [])
      for (const [resource, generation] of stale)
        assert.equal(await isFenced(store, new Map([[resource, generation]])), true)
      await settled([other, beating(store, 'm-1')])
    },
  },
  {
    promise: 'Heartbeats keep a lease for longer than its duration',
    async run({ backend }) {
      const log = await declared(backend)
      const { store } = backend
      const ttlMs = 400
      const first = byResource((await store.beat({ id: 'm-1' }, RESOURCES, ttlMs)).held)
      // A silent witness that began later: once its lease has ended, more than one has passed.
      await store.beat({ id: 'witness' }, ['witness'], ttlMs)
      const heir = beating(store, 'heir', ['witness'])
      for (let beats = 0; heir.held.size === 0; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await moment(log)
        const again = await store.beat({ id: 'm-1' }, RESOURCES, ttlMs)
        assert.deepEqual(byResource(again.held), first)
        await heir.beat()
      }
      const last = await store.beat({ id: 'm-1' }, RESOURCES, ttlMs)
      assert.deepEqual(byResource(last.held), first)
      assert.equal(await isFenced(store, first), false)
    },
  },
]
