import { test } from 'node:test'
import { command, contract, event, handler, send } from 'throughline'
import { given } from 'throughline/testing'
import { z } from 'zod'

const Pay = contract(
  'pay',
  { key: 'id' },
  {
    Asked: event(z.object({ id: z.string(), card: z.string().optional() })),
    Charge: command(z.object({ id: z.string(), card: z.string().optional() })),
  },
)
const charging = handler('charging', { sends: [Pay.Charge] }, (on) => [
  on(Pay.Asked, ({ id, card }) => send(Pay.Charge({ id, card }))),
])

test('a member that is undefined is the same as an absent one, as in the log', () =>
  given(charging, {})
    .when(Pay.Asked({ id: '1' }))
    .then(send(Pay.Charge({ id: '1' }))))
