// Nothing is dropped silently: whatever fails, crashes, is redriven or given up, every message is
// accounted for at every moment, and in the end each one is handled in its order or discarded.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { final } from 'throughline'
import { runs } from '../../extent.ts'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import type { ConsumerKind, FailingConsumer } from '../support/failing-consumer.ts'
import { OPERATOR, createFailingConsumer } from '../support/failing-consumer.ts'
import { findImbalances, randomFaults } from '../support/simulation.ts'

const KEYS = ['a', 'b', 'c', 'd'] as const

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ append: fc.constantFrom(...KEYS) }) },
  { weight: 3, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 3_000 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({ fail: fc.constantFrom(...KEYS), isFinal: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ heal: fc.constantFrom(...KEYS) }) },
  { weight: 2, arbitrary: fc.record({ redrive: fc.constantFrom('all', ...KEYS) }) },
  { weight: 1, arbitrary: fc.record({ discard: fc.constantFrom(...KEYS) }) },
  { weight: 2, arbitrary: fc.record({ crash: fc.boolean(), isChanged: fc.boolean() }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

const plan = fc.record({
  seed: fc.nat(),
  kind: fc.constantFrom<ConsumerKind>('handler', 'queue', 'projection'),
  onFailed: fc.constantFrom('hold-key', 'skip', 'stop'),
  afterMs: fc.constantFrom(0, 2_000),
  /** The share of calls of the backend that fail. */
  rate: fc.constantFrom(0, 0.1),
  steps: fc.array(step, { minLength: 5, maxLength: 40 }),
})

/** The counters, the held messages and the statuses at one moment. */
async function readStored(world: FailingConsumer) {
  for (;;) {
    const counts = await world.storedCounts()
    const held = await world.heldCount()
    const statuses = [...(await world.statuses()).values()]
    // Whatever is committed between these reads changes the counters.
    if (isDeepStrictEqual(await world.storedCounts(), counts)) return { counts, held, statuses }
  }
}

/** Everything that is stored tells the same of every message. */
async function assertConserved(world: FailingConsumer): Promise<void> {
  const { counts, held, statuses } = await readStored(world)
  assert.deepEqual(findImbalances([counts]), [])
  const { dead, discarded, pending } = counts
  assert.ok(dead >= 0 && discarded >= 0 && pending >= 0, JSON.stringify(counts))
  assert.equal(held, dead + pending, 'held messages')
  const failed = statuses.filter(({ status }) => status === 'FAILED')
  const given = failed.filter(({ resolution }) => resolution === 'DISCARDED')
  assert.deepEqual([failed.length - given.length, given.length], [dead, discarded], 'statuses')
}

/** Calls that the backend fails: the caller tries again with the same ids. */
async function surely(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const isDone = await call().then(
      () => true,
      () => false,
    )
    if (isDone) return
  }
  assert.fail('it never succeeds')
}

/** A backend that fails at a rate, except where it must not. */
function createFaults(random: Random, rate: number) {
  const bad = randomFaults(random, rate)
  let isOn = false
  const around: Interceptor = (...given) => (isOn && rate > 0 ? bad(...given) : given[1]())
  return {
    around,
    set(next: boolean): void {
      isOn = next
    },
  }
}

function createRun(world: FailingConsumer, faults: ReturnType<typeof createFaults>) {
  const sent: string[] = []
  const broken = new Set<string>()
  return {
    sent,
    async take(next: Step): Promise<void> {
      const { deadLetters } = world.app()
      if ('pass' in next) await world.advance(next.pass)
      else if ('append' in next) {
        const name = `${next.append} ${sent.length}`
        if (broken.has(next.append)) world.fail(name)
        sent.push(name)
        await surely(() => world.append(name))
      } else if ('fail' in next) {
        broken.add(next.fail)
        const error = (): unknown => (next.isFinal ? final('no') : new Error('no'))
        for (const name of sent.filter((each) => each.startsWith(next.fail)))
          world.fail(name, error)
      } else if ('heal' in next) {
        broken.delete(next.heal)
        world.heal(...sent.filter((each) => each.startsWith(next.heal)), ' ')
      } else if ('redrive' in next) {
        const filter = next.redrive === 'all' ? {} : { key: next.redrive }
        await surely(() => world.until(deadLetters.redrive({ ...filter, ...OPERATOR })))
      } else if ('discard' in next)
        await surely(() => world.until(deadLetters.discard({ key: next.discard, ...OPERATOR })))
      else {
        if (next.crash) world.crash()
        else await world.stop()
        // A start fails with its backend, and is not what this is about.
        faults.set(false)
        await world.launch({ isChanged: next.isChanged, around: faults.around })
        faults.set(true)
      }
    },
  }
}

/** Heals everything, and waits until nothing is left. */
async function settle(world: FailingConsumer): Promise<void> {
  world.heal()
  for (let round = 0; round < 20; round += 1) {
    await world.redrive()
    await world.advance(20_000)
    await assertConserved(world)
    const { dead, pending, lag } = await world.counts()
    if (dead + pending + lag === 0) return
  }
  assert.fail(`something is left: ${JSON.stringify(await world.counts())}`)
}

/** Each message that was not discarded was handled, and in order where the consumer keeps it. */
async function assertAllHandled(
  world: FailingConsumer,
  sent: readonly string[],
  isOrdered: boolean,
): Promise<void> {
  const statuses = await world.statuses()
  const isDiscarded = (name: string): boolean => statuses.get(name)?.resolution === 'DISCARDED'
  const wanted = sent.filter((name) => !isDiscarded(name))
  assert.deepEqual([...new Set(world.handled)].toSorted(), wanted.toSorted())
  const { completed, discarded } = await world.storedCounts()
  assert.deepEqual([completed, discarded], [wanted.length, sent.length - wanted.length])
  if (!isOrdered) return
  for (const key of KEYS) {
    const own = world.handled.filter((name) => name.startsWith(key))
    // A rule may run twice for a message, since a unit may be lost; what is first is in order.
    const first = own.filter((name, at) => own.indexOf(name) === at)
    assert.deepEqual(
      first,
      wanted.filter((name) => name.startsWith(key)),
    )
  }
}

suite('every message is accounted for', () => {
  test('at every moment of a random run with failures, crashes, redrives and discards', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, kind, onFailed, afterMs, rate, steps }) => {
        const faults = createFaults(seededRandom(seed), rate)
        const failure = { onFailed, retry: { attempts: 3 }, redrive: { afterMs, times: 2 } }
        const world = createFailingConsumer({ kind, seed, failure, engine: { deadlineMs: 500 } })
        await world.launch({ around: faults.around })
        faults.set(true)
        const run = createRun(world, faults)
        for (const next of steps) {
          await run.take(next)
          await assertConserved(world)
          await world.advance(50)
          await assertConserved(world)
        }
        faults.set(false)
        await world.advance(5_000)
        await settle(world)
        const isOrdered = kind !== 'queue' && onFailed !== 'skip'
        await assertAllHandled(world, run.sent, isOrdered)
        for (const name of run.sent) world.statusPath(name)
        await world.stop()
      }),
      { numRuns: runs(40), seed: 11 },
    )
  })
})
