import assert from 'node:assert/strict'
import type { StoreCase } from './fixtures.ts'
import { declareTopics, waitBriefly, testUnit } from './fixtures.ts'
import type { Lease, EventStore } from '../event-store.ts'

/** Longer than any case, so that no lease expires. */
const LASTING_MS = 600_000

/** So short that leases expire while a case waits. */
const SHORT_MS = 50

const RESOURCES: readonly string[] = ['p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5', 'p-6']

/** A well-behaved member: it releases revoked leases with its next heartbeat. */
interface BeatingMember {
  readonly held: ReadonlyMap<string, number>
  beat(): Promise<void>
}

function createMember(
  store: EventStore,
  id: string,
  wants: readonly string[] = RESOURCES,
  ttlMs: number = LASTING_MS,
): BeatingMember {
  let held: ReadonlyMap<string, number> = new Map()
  let revoke: readonly string[] = []
  return {
    get held() {
      return held
    },
    async beat() {
      const releases = revoke
      const answer = await store.beat({ id }, wants, ttlMs, releases)
      held = byResource(answer.held)
      revoke = answer.revoke
      for (const resource of held.keys()) assert.ok(wants.includes(resource), 'only what is wanted')
      for (const resource of releases) assert.ok(!held.has(resource), 'what is given up is gone')
      for (const resource of revoke) assert.ok(held.has(resource), 'only what is held')
    },
  }
}

function byResource(claims: readonly Lease[]): ReadonlyMap<string, number> {
  const held = new Map(claims.map(({ resource, generation }) => [resource, generation]))
  assert.equal(held.size, claims.length, 'no lease is named twice')
  return held
}

/** Checks that no two members hold the same lease. */
function assertDisjoint(members: readonly BeatingMember[]): void {
  const all = members.flatMap(({ held }) => [...held.keys()])
  assert.equal(new Set(all).size, all.length, `${all.join()} are held by one member each`)
}

/** Heartbeats of all members, until they hold all leases in even shares. */
async function beatUntilEven(members: readonly BeatingMember[], wanted = RESOURCES): Promise<void> {
  for (let round = 0; round < 50; round += 1) {
    for (const member of members) {
      await member.beat()
      assertDisjoint(members)
    }
    const sizes = members.map(({ held }) => held.size)
    const sum = sizes.reduce((total, size) => total + size, 0)
    if (sum === wanted.length && Math.max(...sizes) - Math.min(...sizes) <= 1) return
  }
  assert.fail(`shares of ${members.map(({ held }) => held.size).join(' and ')}`)
}

const isFenced = async (store: EventStore, held: ReadonlyMap<string, number>): Promise<boolean> => {
  const fences = [...held].map(([resource, generation]) => ({ resource, generation }))
  const { status } = await store.commit(testUnit({ fences }))
  assert.ok(status === 'done' || status === 'fenced')
  return status === 'fenced'
}

/** Leases and how they are shared. */
export const leaseCases: readonly StoreCase[] = [
  {
    promise:
      'A single member takes everything that it wants, and keeps it from heartbeat to heartbeat',
    async run({ backend: { store } }) {
      const one = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual([...byResource(one.held).keys()].toSorted(), RESOURCES)
      assert.deepEqual(one.revoke, [])
      const again = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual(byResource(again.held), byResource(one.held))
      assert.deepEqual(again.revoke, [])
      assert.equal(await isFenced(store, byResource(one.held)), false)
    },
  },
  {
    promise: 'A lease of a live member goes to nobody else',
    async run({ backend: { store } }) {
      await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      const two = await store.beat({ id: 'm-2' }, RESOURCES, LASTING_MS)
      assert.deepEqual(two, { held: [], revoke: [] })
    },
  },
  {
    promise: 'A member keeps a lease above its share until it is revoked and released',
    async run({ backend: { store } }) {
      const four = RESOURCES.slice(0, 4)
      const before = byResource((await store.beat({ id: 'm-1' }, four, LASTING_MS)).held)
      await store.beat({ id: 'm-2' }, four, LASTING_MS)
      const { held, revoke } = await store.beat({ id: 'm-1' }, four, LASTING_MS)
      assert.equal(revoke.length, 2)
      assert.deepEqual(byResource(held), before)
      const less = await store.beat({ id: 'm-1' }, four, LASTING_MS, revoke)
      const kept = four.filter((resource) => !revoke.includes(resource))
      assert.deepEqual([...byResource(less.held).keys()].toSorted(), kept)
      const other = byResource((await store.beat({ id: 'm-2' }, four, LASTING_MS)).held)
      assert.deepEqual([...other.keys()].toSorted(), revoke.toSorted())
      for (const [resource, generation] of other)
        assert.ok(generation > (before.get(resource) ?? Infinity), 'a higher generation')
    },
  },
  {
    promise: 'Two members share evenly',
    async run({ backend: { store } }) {
      const members = ['m-1', 'm-2'].map((id) => createMember(store, id))
      await members[0]?.beat()
      assert.equal(members[0]?.held.size, 7)
      await beatUntilEven(members)
    },
  },
  {
    promise: 'Three members share evenly, and again when one of them leaves',
    async run({ backend: { store } }) {
      const members = ['m-1', 'm-2', 'm-3'].map((id) => createMember(store, id))
      await beatUntilEven(members.slice(0, 1))
      await beatUntilEven(members.slice(0, 2))
      await beatUntilEven(members)
      await store.beat({ id: 'm-3' }, [], LASTING_MS)
      await beatUntilEven(members.slice(0, 2))
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
      assert.deepEqual([again.held.length, again.revoke], [3, []])
    },
  },
  {
    promise: 'A member gets what only it wants, whatever it shares with others',
    async run({ backend: { store } }) {
      const four = RESOURCES.slice(0, 4)
      const members = [
        createMember(store, 'm-1', four),
        createMember(store, 'm-2', four.slice(0, 2)),
      ]
      for (let round = 0; round < 10; round += 1) for (const member of members) await member.beat()
      assertDisjoint(members)
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
      assert.deepEqual(await store.beat({ id: 'm-1' }, [], LASTING_MS), { held: [], revoke: [] })
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
      const members = ['m-1', 'm-2', 'm-3'].map((id) => createMember(store, id))
      const generations = new Map<string, { generation: number; holder: number }>()
      for (let round = 0; round < 30; round += 1) {
        await Promise.all(members.map((member) => member.beat()))
        assertDisjoint(members)
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
export const leaseExpiryCases: readonly StoreCase[] = [
  {
    promise: 'An expired lease goes to another member',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const { store } = backend
      const silent = byResource((await store.beat({ id: 'm-1' }, RESOURCES, SHORT_MS)).held)
      const other = createMember(store, 'm-2', RESOURCES, LASTING_MS)
      for (let beats = 0; other.held.size < 7; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await waitBriefly(log)
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
      const log = await declareTopics(backend)
      const { store } = backend
      const late = createMember(store, 'm-1', RESOURCES, SHORT_MS)
      await late.beat()
      const stale = new Map(late.held)
      const other = createMember(store, 'm-2', RESOURCES, LASTING_MS)
      for (let beats = 0; other.held.size < 7; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await waitBriefly(log)
        await other.beat()
      }
      const woken = await store.beat({ id: 'm-1' }, RESOURCES, LASTING_MS)
      assert.deepEqual(woken.held, [])
      for (const [resource, generation] of stale)
        assert.equal(await isFenced(store, new Map([[resource, generation]])), true)
      await beatUntilEven([other, createMember(store, 'm-1')])
    },
  },
  {
    promise: 'Heartbeats keep a lease for longer than its duration',
    async run({ backend }) {
      const log = await declareTopics(backend)
      const { store } = backend
      const ttlMs = 400
      const first = byResource((await store.beat({ id: 'm-1' }, RESOURCES, ttlMs)).held)
      // A silent witness that began later: once its lease has ended, more than one has passed.
      await store.beat({ id: 'witness' }, ['witness'], ttlMs)
      const heir = createMember(store, 'heir', ['witness'])
      for (let beats = 0; heir.held.size === 0; beats += 1) {
        assert.ok(beats < 2_000, 'leases expire')
        await waitBriefly(log)
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
