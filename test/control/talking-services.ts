// Two services that talk, for tests of what operators see.
import { become, command, contract, entity, event, finish, saga, send, service } from 'throughline'
import { z } from 'zod'

const Id = z.object({ id: z.string() })

export const Asking = contract('asking', { key: 'id' }, { Ask: command(Id), Asked: event(Id) })
export const Telling = contract(
  'telling',
  { key: 'id', partitions: 2 },
  { Tell: command(Id, { refuses: ['dumb'] }), Told: event(Id) },
)

const question = entity(
  'question',
  { of: Asking, id: 'id', initial: 0, emits: [Asking.Asked] },
  {
    decide: (on) => [on(Asking.Ask, (data) => Asking.Asked(data))],
    evolve: (on) => [on(Asking.Asked, (_, times) => times + 1)],
  },
)
const talk = saga('talk', { by: 'id', initial: 0, sends: [Telling.Tell] }, (on) => [
  on(Asking.Asked, ({ id }) => [become(1), send(Telling.Tell({ id }))]),
  on.refused(Telling.Tell, () => finish({ status: 'silent' })),
  on(Telling.Told, () => finish()),
])
const answer = entity(
  'answer',
  { of: Telling, id: 'id', initial: 0, emits: [Telling.Told] },
  {
    decide: (on) => [on(Telling.Tell, (data) => Telling.Told(data))],
    evolve: (on) => [on(Telling.Told, (_, times) => times + 1)],
  },
)

export const talking = [
  service('asker', { owns: [Asking], runs: [question, talk] }),
  service('teller', { owns: [Telling], runs: [answer] }),
] as const
