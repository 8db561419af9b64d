import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import type { Fault } from '../base/errors/fault.ts'
import { contract } from '../contract/contract.ts'
import { command, event } from '../contract/message.ts'
import type { EdgeOptions } from './edge.ts'
import { edge } from './edge.ts'

const Id = z.object({ id: z.string(), note: z.string().default('') })
const Orders = contract('orders', { key: 'id' }, { Place: command(Id), Placed: event(Id) })
const names = { system: 'PARTNER', service: 'ORDERS' }

function publishing(options: Partial<EdgeOptions<'transport'>> = {}) {
  return edge(
    'partner',
    { ...names, ...options },
    {
      sends: (on) => [
        on(Orders.Placed, { topic: 'OUT', id: ({ id }) => id }, ({ id, note }) => ({ id, note })),
      ],
    },
  )
}

suite('edge', () => {
  const issuesOf = (declare: () => unknown): readonly string[] => {
    try {
      declare()
    } catch (cause) {
      const { code, issues } = cause as Fault
      assert.equal(code, 'OPTION_INVALID')
      return issues.map(({ path, message }) => `${path}: ${message}`)
    }
    assert.fail('it was accepted')
  }

  test('refuses options that it does not have, and values outside of their bounds', () => {
    const options = { bodyBytesMax: 1_000_000, sistem: 'X', service: '' } as never
    assert.deepEqual(
      issuesOf(() => publishing(options)),
      [
        'sistem: is not known: did you mean "system"?',
        'service: must be text of 1 to 128 characters',
        'bodyBytesMax: must be a whole number from 1 to 491520',
      ],
    )
  })

  test('refuses rules without a topic, a schema or a function, and no rules at all', () => {
    const wrong = { topic: '', body: {}, id: 'id' } as never
    assert.deepEqual(
      issuesOf(() =>
        edge('e', names, { receives: (on) => [on(Orders.Place, wrong, () => ({}) as never)] }),
      ),
      [
        'receives[0]: its topic must have 1 to 128 characters',
        'receives[0]: its id and its last argument must be functions',
        'receives[0]: its body must be a Standard Schema',
      ],
    )
    assert.deepEqual(
      issuesOf(() => edge('e', names, {})),
      [': neither receives nor sends anything: add a rule'],
    )
  })
})
