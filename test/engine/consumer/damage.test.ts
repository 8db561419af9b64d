// Damage stops only the messages that it affects.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import type { App } from 'throughline'
import { command, contract, entity, event, projection, service, start, tool } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'

const Bank = contract(
  'bank',
  { key: 'id' },
  {
    Pay: command(z.object({ id: z.string(), cents: z.int() })),
    Paid: event(z.object({ id: z.string(), cents: z.int() })),
  },
)
const account = entity(
  'account',
  { of: Bank, id: 'id', initial: 0 },
  {
    decide: (on) => [on(Bank.Pay, (pay) => Bank.Paid(pay))],
    evolve: (on) => [on(Bank.Paid, ({ cents }, sum) => sum + cents)],
  },
)
const sums = projection('sums', { by: 'id', row: tool<{ cents: number }>() }, (on) => [
  on(Bank.Paid, ({ cents }, row) => ({ cents: (row?.cents ?? 0) + cents })),
])
const bank = service('bank', { owns: [Bank], runs: [account, sums] })

const KEYS = Array.from({ length: 20 }, (_, at) => `key-${at}`)

/** A data directory in which each account was paid once, and which no process uses. */
async function paid(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const { app } = await open(t, directory)
  await app.append(KEYS.map((id) => Bank.Pay({ id, cents: 1 })))
  await app.settled()
  await app.stop()
  return directory
}

interface Running {
  readonly app: App
  /** Reported failures. */
  readonly broken: string[]
}

async function open(t: TestContext, directory: string): Promise<Running> {
  const broken: string[] = []
  const app = await start([bank], embedded({ directory }), {
    onRuleError: () => undefined,
    onBackendError: (group) => void broken.push(group),
    engine: { retryDelayMs: 3_600_000, retryDelayMsMax: 3_600_000 },
  })
  t.after(() => app.stop())
  return { app, broken }
}

function tamper(directory: string, sql: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  db.exec(sql)
  db.close()
}

/** The counters of a rule, once this many events are completed and have failed. */
async function until(app: App, consumer: string, completed: number, dead = 0) {
  for (;;) {
    const found = (await app.status()).find((each) => each.consumer === consumer)
    if (found && found.completed >= completed && found.dead >= dead) return found
    await new Promise((resolve) => setImmediate(resolve))
  }
}

suite('damage', () => {
  test('of one row holds only the messages of its key', async (t) => {
    const directory = await paid(t)
    const id = tableOf(directory, 'bank.sums')
    tamper(directory, `UPDATE t${id} SET body = '{"cents":9}' WHERE key = 'key-7'`)
    const { app } = await open(t, directory)
    await app.append(KEYS.map((key) => Bank.Pay({ id: key, cents: 1 })))
    const found = await until(app, 'bank/sums', 2 * KEYS.length - 1, 1)
    assert.equal(found.completed, 2 * KEYS.length - 1)
    assert.equal(found.dead, 1)
    assert.equal((await until(app, 'bank/account', 2 * KEYS.length)).pending, 0)
  })

  test('of a partition holds only the keys whose events would go there', async (t) => {
    const directory = await paid(t)
    const newest = "(SELECT max(position) FROM log WHERE type = 'bank.Paid')"
    const keys = keysBeside(directory, newest)
    assert.ok(keys.length > 0 && keys.length < KEYS.length)
    tamper(
      directory,
      `DROP TRIGGER log_is_immutable;
       UPDATE log SET data = replace(data, '1', '2') WHERE position = ${newest}`,
    )
    const { app } = await open(t, directory)
    await app.append(KEYS.map((id) => Bank.Pay({ id, cents: 1 })))
    const found = await until(app, 'bank/account', 2 * KEYS.length - keys.length, keys.length)
    assert.equal(found.completed, 2 * KEYS.length - keys.length)
    assert.equal(found.dead, keys.length)
  })

  test('of one record stops only its partition there, and is reported once', async (t) => {
    const directory = await paid(t)
    const before = await open(t, directory)
    await before.app.pause('bank')
    await before.app.append(KEYS.map((id) => Bank.Pay({ id, cents: 1 })))
    await before.app.stop()
    tamper(
      directory,
      `DROP TRIGGER log_is_immutable; UPDATE log SET data = replace(data, '1', '2')
       WHERE position = (SELECT max(position) FROM log)`,
    )
    const { app, broken } = await open(t, directory)
    await app.resume('bank')
    const found = await until(app, 'bank/account', 2 * KEYS.length - 1)
    assert.equal(found.lag, 1, 'the damaged one is not passed over')
    assert.deepEqual(
      broken.map((group) => group.replace(/\d+$/, 'n')),
      ['bank at bank.commands/n'],
    )
    assert.equal((await app.health()).status, 'failing')
  })
})

function tableOf(directory: string, name: string): number {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  const row = db.prepare('SELECT id FROM tbl WHERE name = ?').get(name)
  db.close()
  return Number(row?.['id'])
}

/** The keys of a record's partition. */
function keysBeside(directory: string, position: string): readonly unknown[] {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  const rows = db
    .prepare(
      `SELECT DISTINCT key FROM log WHERE (topic, part) =
       (SELECT topic, part FROM log WHERE position = ${position})`,
    )
    .all()
  db.close()
  return rows
}
