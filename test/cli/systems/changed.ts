// The contracts of the talking services with incompatible changes.
import { command, contract, event } from 'throughline'
import { z } from 'zod'

const Id = z.object({ id: z.string() })
const Number = z.object({ id: z.string(), at: z.number() })

export const Asking = contract('asking', { key: 'id' }, { Ask: command(Number), Told: event(Id) })
export const Telling = contract(
  'telling',
  { key: 'id', partitions: 2 },
  {
    Tell: command(Number, { upcasters: [[Id, ({ id }) => ({ id, at: 0 })]] }),
    Told: event(z.object({ id: z.string(), by: z.string().optional() })),
  },
)
