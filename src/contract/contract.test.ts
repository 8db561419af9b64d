import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import {
  commandsTopic,
  contract,
  eventsTopic,
  definitionOf,
  isContract,
  repliesTopic,
} from './contract.ts'
import { command, event, query } from './message.ts'

const Data = z.object({ customerId: z.string() })
const key = 'customerId'

/** The complaints of a contract that is made without the help of types. */
function complaintsOf(name: string, options: object, messages: object): readonly Issue[] {
  const untyped = contract as unknown as (...given: unknown[]) => unknown
  try {
    untyped(name, options, messages)
  } catch (fault) {
    assert.ok(fault instanceof Fault, String(fault))
    assert.equal(fault.code, 'CONTRACT_INVALID')
    return fault.issues
  }
  return []
}

const ALWAYS = { deleteRetentionMs: 0 } as const

describe('a contract', () => {
  const Ordering = contract(
    'ordering',
    { key, partitions: 3 },
    {
      PlaceOrder: command(Data, { wire: 'PLACE', aliases: ['PLACE_1', 'PLACE_2'] }),
      OrderPlaced: event(Data),
      FindOrders: query(z.object({}), { answers: z.array(z.string()) }),
    },
  )

  test('has its name, key and partitions', () => {
    const { name, key, partitions } = definitionOf(Ordering)
    assert.deepEqual([name, key, partitions], ['ordering', 'customerId', 3])
    assert.equal(definitionOf(contract('plain', { key }, {})).partitions, 8)
  })

  test('finds its message types by name, refusals included', () => {
    const { byName } = definitionOf(Ordering)
    assert.deepEqual(
      [...byName.keys()],
      ['PlaceOrder', 'PlaceOrderRefused', 'OrderPlaced', 'FindOrders'],
    )
    assert.equal(byName.get('PlaceOrder'), Ordering.PlaceOrder)
    assert.equal(byName.get('PlaceOrderRefused'), Ordering.PlaceOrder.refused)
  })

  test('finds its message types by wire name and by every alias', () => {
    const { byWire } = definitionOf(Ordering)
    for (const wire of ['PLACE', 'PLACE_1', 'PLACE_2'])
      assert.equal(byWire.get(wire), Ordering.PlaceOrder, wire)
    assert.equal(byWire.get('ordering.OrderPlaced'), Ordering.OrderPlaced)
    assert.equal(byWire.get('ordering.PlaceOrderRefused'), Ordering.PlaceOrder.refused)
    assert.equal(byWire.get('ordering.PlaceOrder'), undefined)
  })

  test('enumerates only its message types, and is frozen', () => {
    assert.deepEqual(Object.keys(Ordering), ['PlaceOrder', 'OrderPlaced', 'FindOrders'])
    assert.throws(() => Object.assign(Ordering, { PlaceOrder: undefined }), TypeError)
  })

  test('is distinguished from similar values', () => {
    assert.ok(isContract(Ordering))
    for (const other of [undefined, null, 'ordering', {}, { ...Ordering }, () => Ordering])
      assert.ok(!isContract(other))
  })

  test('has names for its topics, and a service for its replies topic', () => {
    assert.equal(commandsTopic('ordering'), 'ordering.commands')
    assert.equal(eventsTopic('ordering'), 'ordering.events')
    assert.equal(repliesTopic('shop'), 'shop.replies')
  })
})

describe('an invalid contract is refused', () => {
  test('for a name that is not lower-case words', () => {
    const message = 'must be lower-case words joined by hyphens'
    const wrong = ['', 'Ordering', '1st', '-a', 'a_b', 'a.b', 'a b', 'a\n', 'ä', 'a'.repeat(129)]
    for (const name of wrong)
      assert.deepEqual(complaintsOf(name, { key }, {}), [{ path: 'name', message }], name)
    for (const name of ['a', 'a1-b2', 'a'.repeat(128)])
      assert.deepEqual(complaintsOf(name, { key }, {}), [], name)
  })

  test('for a key that names no field', () => {
    const message = 'must name the field that holds the message key'
    for (const options of [{}, { key: '' }])
      assert.deepEqual(complaintsOf('a', options, {}), [{ path: 'key', message }])
  })

  test('for partitions that are not an integer within the bounds', () => {
    const message = 'must be a whole number from 1 to 1024'
    for (const partitions of [0, -1, 1.5, 1_025, Number.NaN, Infinity, '8', null])
      assert.deepEqual(
        complaintsOf('a', { key, partitions }, {}),
        [{ path: 'partitions', message }],
        String(partitions),
      )
    for (const partitions of [1, 1_024])
      assert.deepEqual(complaintsOf('a', { key, partitions }, {}), [])
  })

  test('for retention and compaction that are not integers within the bounds', () => {
    const wrong: readonly (readonly [path: string, min: number, keeping: object])[] = [
      ['retention.commands.ageMs', 1, { retention: { commands: { ageMs: 0 } } }],
      ['retention.events.ageMs', 1, { retention: { events: { ageMs: 1.5 } } }],
      ['retention.events.bytes', 1, { retention: { events: { bytes: '9' } } }],
      ['compaction.deleteRetentionMs', 0, { compaction: { deleteRetentionMs: -1 } }],
    ]
    for (const [path, min, keeping] of wrong) {
      const message = `must be a whole number from ${min} on`
      assert.deepEqual(complaintsOf('a', { key, ...keeping } as never, {}), [{ path, message }])
    }
    const right = { retention: { events: { ageMs: 1, bytes: 1 } }, compaction: ALWAYS }
    assert.deepEqual(complaintsOf('a', { key, ...right } as never, {}), [])
    const made = contract('a', { key: 'id', ...right }, {})
    assert.deepEqual(definitionOf(made).topicSettings, right)
    assert.deepEqual(definitionOf(contract('a', { key: 'id' }, {})).topicSettings, {})
  })

  test('for a message with the name of the refusal of a command', () => {
    const messages = { DoRefused: event(Data, { wire: 'OTHER' }), Do: command(Data) }
    const message = 'is the name of two messages'
    assert.deepEqual(complaintsOf('a', { key }, messages), [{ path: 'DoRefused', message }])
  })

  test('for wire names and aliases that clash, in every combination', () => {
    const takenBy = (first: object, second: object): readonly Issue[] =>
      complaintsOf('a', { key }, { First: event(Data, first), Second: event(Data, second) })
    const clash = [{ path: 'Second', message: 'its wire name W is used by another message' }]
    assert.deepEqual(takenBy({ wire: 'W' }, { wire: 'W' }), clash)
    assert.deepEqual(takenBy({ wire: 'W' }, { aliases: ['W'] }), clash)
    assert.deepEqual(takenBy({ aliases: ['W'] }, { wire: 'W' }), clash)
    assert.deepEqual(takenBy({ aliases: ['W'] }, { aliases: ['V', 'W'] }), clash)
    assert.deepEqual(takenBy({}, { aliases: ['W', 'W'] }), clash)
    assert.deepEqual(takenBy({}, { wire: 'a.First' }), [
      { path: 'Second', message: 'its wire name a.First is used by another message' },
    ])
    const refusal = { Do: command(Data, { wire: 'W', refusal: { wire: 'W' } }) }
    assert.deepEqual(complaintsOf('a', { key }, refusal), [
      { path: 'DoRefused', message: 'its wire name W is used by another message' },
    ])
  })

  test('for wire names that are empty or too long', () => {
    const message = 'its wire name must have 1 to 128 characters'
    for (const wire of ['', 'w'.repeat(129)])
      for (const names of [{ wire }, { aliases: [wire] }])
        assert.deepEqual(complaintsOf('a', { key }, { Done: event(Data, names) }), [
          { path: 'Done', message },
        ])
    const longest = { Done: event(Data, { wire: 'w'.repeat(128) }) }
    assert.deepEqual(complaintsOf('a', { key }, longest), [])
  })

  test('with all issues at once', () => {
    const messages = {
      One: event(Data, { wire: 'W' }),
      Two: event(Data, { wire: 'W', aliases: [''] }),
    }
    const complaints = complaintsOf('A', { key: '', partitions: 0 }, messages)
    const paths = complaints.map(({ path }) => path)
    assert.deepEqual(paths, ['name', 'key', 'partitions', 'Two', 'Two'])
  })

  test('for a message named __proto__, which an object would lose', () => {
    const messages = Object.fromEntries([['__proto__', event(Data)]])
    assert.deepEqual(
      complaintsOf('a', { key }, messages).map(({ path }) => path),
      ['__proto__'],
    )
  })

  test('for an invalid message name', () => {
    for (const name of ['', '1st', 'Do it', 'Do.it', 'Do-it', 'Ü', 'D'.repeat(129)]) {
      const paths = complaintsOf('a', { key }, { [name]: event(Data) }).map(({ path }) => path)
      assert.deepEqual(paths, [name])
    }
    const longest = { ['D'.repeat(100)]: event(Data) }
    assert.deepEqual(complaintsOf('a', { key }, longest), [])
  })

  test('for a value that is not a schema', () => {
    const messages = { Done: event(undefined as never), Do: command({} as never), Bare: Data }
    const paths = complaintsOf('a', { key }, messages).map(({ path }) => path)
    assert.deepEqual(paths, ['Done', 'Do', 'Bare'])
  })

  test('for upcasters that are not pairs of a schema and a function', () => {
    const up = (): object => ({})
    const wrong = [null, {}, 'v1', [Data], [[Data]], [[up, Data]], [[Data, {}]], [[Data, up], []]]
    for (const was of wrong)
      for (const declare of [event, command] as readonly (typeof event)[]) {
        const messages = { Done: declare(Data, { upcasters: was as never }) }
        assert.deepEqual(
          complaintsOf('a', { key }, messages).map(({ path }) => path),
          ['Done'],
          JSON.stringify(was),
        )
      }
    const many = (count: number): object => ({
      Done: event(Data, { upcasters: Array.from({ length: count }, () => [Data, up]) as never }),
    })
    assert.equal(complaintsOf('a', { key }, many(100)).length, 1)
    assert.deepEqual(complaintsOf('a', { key }, many(99)), [])
  })

  test('for a query whose answer has no schema', () => {
    const messages = { Find: query(Data, {} as never) }
    const message = 'has no schema for its answer'
    assert.deepEqual(complaintsOf('a', { key }, messages), [{ path: 'Find', message }])
  })
})
