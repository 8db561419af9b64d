import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from 'throughline'
import { command, contract, entity, event, service, start } from 'throughline'
import { serve } from 'throughline/admin'
import { gateway, listen } from 'throughline/gateway'
import { memory, simulate } from 'throughline/testing'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Ordering = contract('ordering', { key: 'id' }, { Place: command(Id), Placed: event(Id) })
const order = entity(
  'order',
  { of: Ordering, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Ordering.Place, (data) => Ordering.Placed(data))],
    evolve: (on) => [on(Ordering.Placed, () => 1)],
  },
)
const shop = service('shop', { owns: [Ordering], runs: [order] })

test('an option that does not exist is refused with the nearest one, and starts nothing', async () => {
  const refused = (promise: Promise<unknown>, message: RegExp): Promise<void> =>
    assert.rejects(promise, (fault: Fault) => {
      assert.equal(fault.code, 'OPTION_INVALID')
      assert.match(fault.issues.map((issue) => `${issue.path}: ${issue.message}`).join(), message)
      return true
    })
  const misspelt = (options: object) => options as never
  const faults = misspelt({ onRuleErrors: () => undefined, elsewhere: [] })
  await refused(
    start([shop], memory(), faults),
    /^onRuleErrors: .*"onRuleError".*elsewhere: is not/,
  )
  await refused(simulate([shop], misspelt({ seed: 1, patienceMs: 1 })), /patienceMs/)
  await using app = await start([shop], memory())
  await refused(
    Promise.resolve().then(() => gateway(app, misspelt({ opens: [] }))),
    /opens/,
  )
  await refused(listen([], misspelt({ port: 0, broke: () => undefined })), /broke/)
  await refused(serve(app, misspelt({ port: 0, opens: [] })), /opens/)
})
