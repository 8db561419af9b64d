// A module with a projection.
import { command, contract, entity, event, projection, service, tool } from 'throughline'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
export const Counting = contract(
  'counting',
  { key: 'id' },
  { Count: command(Id), Counted: event(Id) },
)

export const counter = entity(
  'counter',
  { of: Counting, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Counting.Count, (data) => Counting.Counted(data))],
    evolve: (on) => [on(Counting.Counted, (_, times) => times + 1)],
  },
)
const times = projection('times', { by: 'id', row: tool<number>() }, (on) => [
  on(Counting.Counted, (_, before = 0) => before + 1),
])

export const services = [service('counters', { owns: [Counting], runs: [counter, times] })]
