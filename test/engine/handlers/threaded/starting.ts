// What a module of a thread must not do: it starts an app.
import { command, contract, entity, event, handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Work = contract('work', { key: 'id' }, { Do: command(Id), Done: event(Id) })
const doing = entity(
  'doing',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Work.Do, (data) => Work.Done(data))],
    evolve: (on) => [on(Work.Done, () => 1)],
  },
)
export const hearing = handler('hearing', { thread: import.meta.url }, (on) => [
  on(Work.Done, () => undefined),
])
export const working = service('working', { owns: [Work], runs: [doing, hearing] })

export const app = await start([working], memory())
