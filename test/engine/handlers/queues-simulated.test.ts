// A queue in a simulated world with crashes: each effect is stored once, and no event is lost.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { command, contract, entity, event, handler, retryAfter } from 'throughline'
import { send, service, tool } from 'throughline'
import { simulate } from 'throughline/testing'
import { runs } from '../../extent.ts'
import { numbersUpTo } from '../support/ledger-service.ts'
import { anySchema } from '../support/simulation.ts'

interface Job {
  readonly owner: string
  readonly number: number
}
const Job = anySchema<Job>()
const Jobs = contract(
  'jobs',
  { key: 'owner', partitions: 4 },
  { Ask: command(Job), Note: command(Job), Asked: event(Job), Noted: event(Job) },
)
const jobs = entity(
  'jobs',
  { of: Jobs, id: 'owner', initial: [] as readonly number[] },
  {
    decide: (on) => [
      on(Jobs.Ask, (job) => Jobs.Asked(job)),
      on(Jobs.Note, (job) => Jobs.Noted(job)),
    ],
    evolve: (on) => [
      on(Jobs.Asked, (_, done) => done),
      on(Jobs.Noted, ({ number }, done) => [...done, number]),
    ],
  },
)

/** The result of a call, as the test decides it. */
interface Bench {
  work(): Promise<'done' | 'later'>
}
const workers = handler(
  'workers',
  { uses: { bench: tool<Bench>() }, sends: [Jobs.Note], consume: 'queue', concurrency: 4 },
  (on) => [
    on(Jobs.Asked, async (job, { bench }) =>
      (await bench.work()) === 'later' ? retryAfter(300) : send(Jobs.Note(job)),
    ),
  ],
)
const shop = service('shop', { owns: [Jobs], runs: [jobs, workers] })

const OWNERS = ['a', 'b', 'c']

const happening = fc.record({
  is: fc.constantFrom('crash', 'isolate', 'heal', 'ask', 'wait'),
  ms: fc.nat({ max: 4_000 }),
})
/** One call: it takes this many events, then succeeds, fails, or asks for a later retry. */
const outcome = fc.record({
  takes: fc.constantFrom(0, 0, 0, 1, 2, 5),
  is: fc.constantFrom('done', 'done', 'done', 'fails', 'later'),
})
type Outcome = typeof outcome extends fc.Arbitrary<infer O> ? O : never

/** Calls that end as the test proceeds. */
function benchOf(outcomes: readonly Outcome[]) {
  let attempts = 0
  let step = 0
  let waiting: { readonly until: number; readonly end: () => void }[] = []
  const moveTo = (to: number): void => {
    step = to
    for (const each of waiting.filter(({ until }) => until <= to)) each.end()
    waiting = waiting.filter(({ until }) => until > to)
  }
  return {
    /** Advances by one event. */
    next: (): void => moveTo(step + 1),
    /** From now on no call takes any time. */
    hurry: (): void => moveTo(Infinity),
    async work(): Promise<'done' | 'later'> {
      const { takes, is } = outcomes[attempts] ?? { takes: 0, is: 'done' }
      attempts += 1
      const until = step + takes
      if (until > step) await new Promise<void>((end) => void waiting.push({ until, end }))
      if (is === 'fails') throw new Error('it broke')
      return is
    },
  }
}

test('a queue stores each effect once, through crashes at any time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(happening, { maxLength: 10 }),
      fc.array(outcome, { maxLength: 60 }),
      async (seed, happenings, outcomes) => {
        const bench = benchOf(outcomes)
        const engine = {
          leaseMs: 2_000,
          queueAckMs: 200,
          retryDelayMs: 20,
          retryDelayMsMax: 200,
          retryAttemptsMax: 1_000_000,
        }
        const world = await simulate([shop], { seed, tools: { bench }, engine })
        let asked = 0
        const ask = async (): Promise<void> => {
          for (const owner of OWNERS) await world.send(Jobs.Ask({ owner, number: asked }))
          asked += 1
        }
        await ask()
        for (const { is, ms } of happenings) {
          if (is === 'crash') await world.crash('shop')
          if (is === 'isolate') world.isolate('shop')
          if (is === 'heal') world.heal('shop')
          if (is === 'ask') {
            world.heal('shop')
            await ask()
          }
          await world.advance(ms)
          bench.next()
        }
        bench.hurry()
        world.heal('shop')
        await world.settled()
        const noted = (await world.messages()).filter((each) => each.type === 'jobs.Noted')
        for (const owner of OWNERS) {
          const numbers = noted
            .map(({ data }) => data as Job)
            .filter((job) => job.owner === owner)
            .map(({ number }) => number)
          assert.deepEqual(
            numbers.toSorted((a, b) => a - b),
            numbersUpTo(asked),
          )
        }
        const status = await world.status()
        const workersStatus = status.find(({ consumer }) => consumer === 'shop/workers')
        assert.equal(workersStatus?.completed, asked * OWNERS.length)
        assert.equal(workersStatus.accepted, asked * OWNERS.length)
        await world[Symbol.asyncDispose]()
      },
    ),
    { numRuns: runs(12) },
  )
})
