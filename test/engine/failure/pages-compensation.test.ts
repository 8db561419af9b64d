// A compensation takes the place of a dead command that has pages of others behind it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  become,
  command,
  compensate,
  contract,
  entity,
  event,
  saga,
  send,
  service,
  start,
} from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'

const Order = z.object({ order: z.string(), account: z.string() })
const Shop = contract('shop', { key: 'order' }, { Placed: event(Order), Cancelled: event(Order) })
const Bank = contract(
  'bank',
  { key: 'account' },
  {
    Charge: command(Order),
    Charged: event(Order),
    Refund: command(Order),
    Refunded: event(Order),
    Note: command(Order),
    Noted: event(Order),
  },
)

const accounts = entity(
  'accounts',
  { of: Bank, id: 'account', initial: 0, emits: [Bank.Refunded, Bank.Noted] },
  {
    decide: (on) => [
      on(Bank.Charge, () => {
        throw new Error('no')
      }),
      on(Bank.Refund, (order) => Bank.Refunded(order)),
      on(Bank.Note, (order) => {
        if (order.order === 'n0') throw new Error('no')
        return Bank.Noted(order)
      }),
    ],
    evolve: (on) => [on(Bank.Refunded, (_, n) => n + 1), on(Bank.Noted, (_, n) => n + 1)],
  },
)
const paying = saga(
  'paying',
  { by: 'order', initial: 'new', sends: [Bank.Charge, Bank.Refund] },
  (on) => [
    on(Shop.Placed, (order) => [become('charging'), send(Bank.Charge(order))]),
    on(Shop.Cancelled, (order) => [
      become('cancelled'),
      compensate(Bank.Refund(order), { undoes: Bank.Charge }),
    ]),
    on.failed(Bank.Charge, () => become('waiting')),
  ],
)

test('a compensation that is completed does not read as unprocessed where pages are behind it', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const backend = embedded({ directory })
  const app = await start(
    [
      service('shop', { owns: [Shop], runs: [paying] }),
      service('bank', { owns: [Bank], runs: [accounts] }),
    ],
    backend,
    {
      onRuleError: () => undefined,
      engine: { idleMs: 20, retryAttemptsMax: 1, retryDelayMs: 5, retryDelayMsMax: 10 },
    },
  )
  t.after(() => app.stop())
  async function until(
    is: (bank: {
      dead: number
      completed: number
      lag: number
      discarded: number
      accepted: number
    }) => boolean,
  ) {
    for (;;) {
      const bank = (await app.status()).find(({ consumer }) => consumer === 'bank/accounts')
      if (bank && is(bank)) return
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await app.append([Shop.Placed({ order: '1', account: 'a' })])
  await until(({ dead }) => dead === 1)
  const notes = Array.from({ length: 800 }, (_, n) => Bank.Note({ order: `n${n}`, account: 'a' }))
  await app.append(notes.slice(0, 400))
  await until(({ accepted }) => accepted === 401)
  await app.append(notes.slice(400))
  await until(({ accepted }) => accepted === 801)
  await app.append([Shop.Cancelled({ order: '1', account: 'a' })])
  await until(({ completed, discarded, dead }) => completed === 1 && discarded === 1 && dead === 1)
  const page = await backend.store.ledger?.({ consumer: 'bank/accounts', limit: 1_000 })
  const refunds = (page?.rows ?? []).filter((row) => row.MESSAGE_TYPE === 'bank.Refund')
  assert.deepEqual(
    refunds.map(({ STATUS }) => STATUS),
    ['COMPLETED'],
  )
})
