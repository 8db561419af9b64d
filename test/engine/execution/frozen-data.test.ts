import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { contract } from '../../../src/contract/contract.ts'
import { command, event } from '../../../src/contract/message.ts'
import { become } from '../../../src/rules/effect.ts'
import { entity } from '../../../src/rules/entity.ts'
import { handler } from '../../../src/rules/handler.ts'
import { projection } from '../../../src/rules/projection.ts'
import { tool } from '../../../src/rules/rule.ts'
import { saga } from '../../../src/rules/saga.ts'
import { service } from '../../../src/rules/service.ts'
import { simulate } from 'throughline/testing'

/** `change` names the rule that changes its input, and which part of it. */
const Data = z.object({ id: z.string(), tags: z.array(z.string()), change: z.string() })
const Work = contract('work', { key: 'id' }, { Do: command(Data), Done: event(Data) })
type State = { readonly tags: string[] }

const decider = (initial: State) =>
  entity(
    'decider',
    { of: Work, id: 'id', initial },
    {
      decide: (on) => [
        on(Work.Do, { ids: ({ id }) => [id, `${id}-2`] }, (data, states) => {
          if (data.change === 'decide data') data.tags.push('changed')
          if (data.change === 'decide state') states.get(data.id)?.tags.push('changed')
          return Work.Done(data)
        }),
      ],
      evolve: (on) => [
        on(Work.Done, (data, state) => {
          if (data.change === 'evolve data') data.tags.push('changed')
          if (data.change === 'evolve state') state.tags.push('changed')
          return { tags: [...data.tags] }
        }),
      ],
    },
  )
const rows = projection('rows', { by: 'id', row: tool<State>() }, (on) => [
  on(Work.Done, (data, row) => {
    if (data.change === 'project data') data.tags.push('changed')
    if (data.change === 'project row') row?.tags.push('changed')
    return { tags: [...data.tags] }
  }),
])
const steps = saga('steps', { by: 'id', initial: { tags: [] } as State, sends: [] }, (on) => [
  on(Work.Done, (data, state) => {
    if (data.change === 'saga data') data.tags.push('changed')
    if (data.change === 'saga state') state.tags.push('changed')
    return become({ tags: [...data.tags] })
  }),
])
const mailing = handler('mailing', { uses: { post: tool<{ sent: number }>() } }, (on) => [
  on(Work.Done, (data, { post }) => {
    if (data.change === 'handle data') data.tags.push('changed')
    post.sent += 1
  }),
])

/** The faults of a simulated run in which one rule changes its input. */
async function faultsOf(change: string): Promise<readonly string[]> {
  const post = { sent: 0 }
  const worker = service('worker', {
    owns: [Work],
    runs: [decider({ tags: [] }), rows, steps, mailing],
  })
  await using world = await simulate([worker], { seed: 1, tools: { post } })
  for (const each of ['nothing', change])
    await world.send(Work.Do({ id: 'a', tags: ['a'], change: each }))
  await world.advance(100)
  assert.ok(post.sent > 0, 'tools are as they were')
  return [...new Set(world.faults().map(({ consumer, error }) => `${consumer}: ${error}`))]
}

describe('a rule that changes its input fails:', () => {
  const changes = {
    'decide data': 'decider',
    'decide state': 'decider',
    'evolve data': 'decider',
    'evolve state': 'decider',
    'project data': 'rows',
    'project row': 'rows',
    'saga data': 'steps',
    'saga state': 'steps',
    'handle data': 'mailing',
  }
  for (const [change, rule] of Object.entries(changes))
    test(change, async () =>
      assert.deepEqual(await faultsOf(change), [
        `worker/${rule}: Cannot add property 1, object is not extensible`,
      ]),
    )

  test('a rule that changes nothing succeeds', async () => {
    assert.deepEqual(await faultsOf('nothing'), [])
  })
})
