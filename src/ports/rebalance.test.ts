import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LeaseRecord, Membership } from './rebalance.ts'
import { rebalance } from './rebalance.ts'

const TTL_MS = 30

/** The leases that a member believes to hold, and until when. */
interface Belief {
  readonly untilMs: number
  readonly held: ReadonlyMap<string, number>
  readonly revoke: readonly string[]
}

const NOTHING: Belief = { untilMs: 0, held: new Map(), revoke: [] }

interface World {
  pass(ms: number): void
  beat(member: string, wants: readonly string[], releases?: readonly string[]): Belief
  /** A heartbeat that also releases what the previous one revoked. */
  obey(member: string, wants: readonly string[]): Belief
  heldBy(member: string): number
}

/** A store that applies each heartbeat, and checks each answer. */
function createWorld(): World {
  const leases = new Map<string, LeaseRecord>()
  const beliefs = new Map<string, Belief>()
  let memberships: readonly Membership[] = []
  let nowMs = 1_000
  const beat = (
    member: string,
    wants: readonly string[],
    releases: readonly string[] = [],
  ): Belief => {
    const before = new Map(leases)
    const untilMs = nowMs + TTL_MS
    const membership = { member, wants, untilMs }
    const { changed, held, revoke } = rebalance(
      { ...membership, releases, nowMs },
      leases,
      memberships,
    )
    for (const lease of changed) leases.set(lease.resource, lease)
    memberships = [...memberships.filter((other) => other.member !== member), membership]
    for (const resource of releases)
      assert.ok(!held.some((claim) => claim.resource === resource), 'what is given up is gone')
    const claims = new Map(held.map(({ resource, generation }) => [resource, generation]))
    const belief: Belief = { untilMs, held: claims, revoke }
    beliefs.set(member, belief)
    assertLawful(member, wants, before, belief)
    for (const [resource, { generation }] of before)
      assert.ok((leases.get(resource)?.generation ?? 0) >= generation, 'generations only grow')
    return belief
  }
  const assertLawful = (
    member: string,
    wants: readonly string[],
    before: ReadonlyMap<string, LeaseRecord>,
    { held }: Belief,
  ): void => {
    for (const [resource, generation] of held) {
      assert.ok(wants.includes(resource), 'only what is wanted')
      const last = before.get(resource)
      const isRenewed = last?.member === member && last.untilMs > nowMs
      const expected = isRenewed ? last.generation : (last?.generation ?? 0) + 1
      assert.equal(generation, expected, 'one generation for each time that it is taken')
      for (const [other, { untilMs, held: theirs }] of beliefs)
        if (other !== member && untilMs > nowMs)
          assert.ok(!theirs.has(resource), `${resource} is live at ${other}`)
      assert.equal(leases.get(resource)?.member, member)
    }
  }
  return {
    pass: (ms) => void (nowMs += ms),
    beat,
    obey: (member, wants) => beat(member, wants, (beliefs.get(member) ?? NOTHING).revoke),
    heldBy: (member) => beliefs.get(member)?.held.size ?? 0,
  }
}

const RESOURCES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
const MEMBERS = ['m-1', 'm-2', 'm-3', 'm-4', 'm-5']

const step = fc.record({
  member: fc.constantFrom(...MEMBERS),
  wants: fc.subarray(RESOURCES),
  passMs: fc.constantFrom(0, 1, 5, TTL_MS - 1, TTL_MS, TTL_MS + 1),
})

test('a resource has one live holder, and each new lease has a higher generation', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = createWorld()
      for (const { member, wants, passMs } of steps) {
        world.pass(passMs)
        world.beat(member, wants)
      }
    }),
    { numRuns: 500 },
  )
})

test('all resources are taken in even shares, whatever happened before', () => {
  const count = fc.integer({ min: 1, max: MEMBERS.length })
  const wanted = fc.integer({ min: 1, max: RESOURCES.length })
  const laws = fc.property(
    fc.array(step, { maxLength: 20 }),
    count,
    wanted,
    (steps, live, size) => {
      const world = createWorld()
      for (const { member, wants, passMs } of steps) {
        world.pass(passMs)
        world.obey(member, wants)
      }
      const members = MEMBERS.slice(0, live)
      const wants = RESOURCES.slice(0, size)
      world.pass(TTL_MS)
      for (let round = 0; round < 2 * MEMBERS.length; round += 1) {
        world.pass(5)
        for (const member of members) world.obey(member, wants)
      }
      const sizes = members.map((member) => world.heldBy(member))
      assert.equal(
        sizes.reduce((sum, each) => sum + each, 0),
        size,
        `all of ${size} are taken: ${sizes.join()}`,
      )
      const share = Math.ceil(size / live)
      for (const each of sizes) assert.ok(each <= share, `at most ${share}: ${sizes.join()}`)
    },
  )
  fc.assert(laws, { numRuns: 500 })
})

test('every wanted resource is taken, and rebalancing terminates', () => {
  const wanting = fc.array(fc.subarray(RESOURCES), { minLength: 1, maxLength: MEMBERS.length })
  const laws = fc.property(fc.array(step, { maxLength: 20 }), wanting, (steps, wishes) => {
    const world = createWorld()
    for (const { member, wants, passMs } of steps) {
      world.pass(passMs)
      world.obey(member, wants)
    }
    world.pass(TTL_MS)
    const round = (): boolean[] =>
      wishes.map((wants, at) => {
        world.pass(1)
        const { revoke } = world.obey(MEMBERS[at] as string, wants)
        return revoke.length === 0
      })
    for (let count = 0; count < 20; count += 1) round()
    assert.deepEqual(new Set(round()), new Set([true]), 'nobody is asked to give up more')
    const held = wishes.reduce((sum, _, at) => sum + world.heldBy(MEMBERS[at] as string), 0)
    assert.equal(held, new Set(wishes.flat()).size)
  })
  fc.assert(laws, { numRuns: 1_000 })
})

test('a single member takes everything at once, and nothing is revoked', () => {
  const { held, revoke } = createWorld().beat('m-1', RESOURCES)
  assert.deepEqual([...held.keys()], RESOURCES)
  assert.deepEqual(revoke, [])
})

test('an unwanted resource is free at once', () => {
  const world = createWorld()
  world.beat('m-1', RESOURCES)
  world.beat('m-1', [])
  const { held } = world.beat('m-2', RESOURCES)
  assert.deepEqual(new Set(held.values()), new Set([2]))
  assert.equal(held.size, RESOURCES.length)
})
