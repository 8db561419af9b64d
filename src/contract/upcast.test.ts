import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { Fault } from '../base/errors/fault.ts'
import { contract } from './contract.ts'
import { command, event } from './message.ts'
import { upcast } from './upcast.ts'

const id = z.string()
const Id = z.object({ id })
const Paid1 = z.object({ id, total: z.number() })
const Paid2 = z.object({ id, totalCents: z.int() })
const Paid3 = z.object({ id, totalCents: z.int(), currency: z.string().default('EUR') })

const Till = contract(
  'till',
  { key: 'id' },
  {
    Paid: event(Paid3, {
      upcasters: [
        [Paid1, (paid) => ({ id: paid.id, totalCents: Math.round(paid.total * 100) })],
        [Paid2, (paid) => paid],
      ],
    }),
    Pay: command(Paid2, {
      refuses: ['closed'],
      upcasters: [
        [
          Paid1,
          ({ total, ...rest }) => {
            if (total < 0) throw new Error('less than nothing')
            return { ...rest, totalCents: total * 100 }
          },
        ],
      ],
    }),
    Closed: event(Id),
  },
)

/** The fault of an upcast that must not go well. */
function faultOf(run: () => unknown): Fault {
  try {
    run()
  } catch (fault) {
    assert.ok(fault instanceof Fault, String(fault))
    return fault
  }
  return assert.fail('it went well')
}

describe('stored data', () => {
  test('of the current version is returned unchanged', () => {
    const data = { id: 'a', totalCents: 'not even a number' }
    assert.equal(upcast(Till.Paid, data, 3), data)
    assert.equal(upcast(Till.Closed, data, 1), data)
  })

  test('without a version has version 1', () => {
    const data = { id: 'a' }
    assert.equal(upcast(Till.Closed, data, undefined), data)
    assert.deepEqual([Till.Closed.version, Till.Pay.version, Till.Paid.version], [1, 2, 3])
    assert.equal(Till.Pay.refused.version, 2)
  })

  test('passes through every version, and each schema completes it', () => {
    const money = fc.integer({ min: -1e9, max: 1e9 })
    fc.assert(
      fc.property(fc.string(), money, (text, totalCents) => {
        const today = { id: text, totalCents, currency: 'EUR' }
        assert.deepEqual(upcast(Till.Paid, { id: text, total: totalCents / 100 }), today)
        assert.deepEqual(upcast(Till.Paid, { id: text, totalCents }, 2), today)
      }),
    )
  })

  test('of a refusal has the version of the command in it', () => {
    const { refused } = Till.Pay
    const refusal = {
      code: 'closed',
      issues: [{ path: '', message: 'late' }],
      command: { id: 'a', total: 2 },
    }
    const today = { ...refusal, command: { id: 'a', totalCents: 200 } }
    assert.deepEqual(upcast(refused, refusal), today)
    assert.equal(upcast(refused, today, 2), today)
  })

  test('that is newer than the code throws MESSAGE_NEWER', () => {
    const fault = faultOf(() => upcast(Till.Paid, {}, 4))
    assert.equal(fault.code, 'MESSAGE_NEWER')
    assert.match(fault.message, /till\.Paid has version 4, and the code knows version 3/)
  })

  test('for which an upcaster throws is a fault with its cause', () => {
    const fault = faultOf(() => upcast(Till.Pay, { id: 'a', total: -1 }))
    assert.equal(fault.code, 'UPCAST_FAILED')
    assert.match(
      fault.message,
      /till\.Pay from version 1 to 2: the upcaster threw: less than nothing/,
    )
    assert.match(String(fault.cause), /less than nothing/)
  })

  test('that is invalid after an upcaster is a fault with all issues', () => {
    const fault = faultOf(() => upcast(Till.Pay, { id: 7, total: 0.001 }))
    assert.equal(fault.code, 'UPCAST_FAILED')
    assert.deepEqual(
      fault.issues.map(({ path }) => path),
      ['id', 'totalCents'],
    )
  })

  test('whose next schema is asynchronous or throws is a fault without an unhandled rejection', () => {
    const validate = async (): Promise<never> => Promise.reject(new Error('late'))
    const later = { '~standard': { version: 1, vendor: 'test', validate } } as unknown as typeof Id
    const broken = z.object({ id }).refine(() => {
      throw new Error('broken')
    })
    for (const schema of [later, broken]) {
      const was = [[Id, (data: { id: string }) => data]] as const
      const { Done } = contract('work', { key: 'id' }, { Done: event(schema, { upcasters: was }) })
      assert.equal(faultOf(() => upcast(Done, { id: 'a' })).code, 'UPCAST_FAILED')
    }
  })
})

/** A chain of versions, each of which adds a number to the data: what it goes through is seen. */
function chainOf(steps: readonly number[]) {
  const version = (at: number) => z.object({ id, seen: z.array(z.number()).length(at) })
  const was = steps.map((step, at) => [
    version(at),
    (data: { id: string; seen: number[] }) => ({ ...data, seen: [...data.seen, step] }),
  ])
  return contract(
    'chain',
    { key: 'id' },
    { Done: event(version(steps.length), { upcasters: was as never }) },
  )
}

test('a chain of upcasters of any length runs from any version, step by step', () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.integer(), { maxLength: 20 })
        .chain((steps) => fc.tuple(fc.constant(steps), fc.nat({ max: steps.length }))),
      ([steps, at]) => {
        const { Done } = chainOf(steps)
        const stored = JSON.stringify({ id: 'a', seen: steps.slice(0, at) })
        const read = upcast(Done, JSON.parse(stored), at + 1)
        assert.deepEqual(read, { id: 'a', seen: steps })
        // Read again, it is the same: what is stored never changes.
        assert.deepEqual(upcast(Done, JSON.parse(stored), at + 1), read)
      },
    ),
  )
})
