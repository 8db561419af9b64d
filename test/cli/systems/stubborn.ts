// A service whose handler never ends.
import { command, contract, entity, event, handler, service } from 'throughline'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Clinging = contract('clinging', { key: 'id' }, { Cling: command(Id), Clung: event(Id) })

const grip = entity(
  'grip',
  { of: Clinging, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Clinging.Cling, (data) => Clinging.Clung(data))],
    evolve: (on) => [on(Clinging.Clung, (_, times) => times + 1)],
  },
)
const fist = handler('fist', {}, (on) => [
  on(Clinging.Clung, async () => {
    process.stdout.write('clings\n')
    await new Promise(() => undefined)
  }),
])

export const services = [service('clinger', { owns: [Clinging], runs: [grip, fist] })]
