// Rows of state that do not fit each other: verify names the consumer, the key, and what to do.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { after, become, command, contract, entity, event, handler, projection } from 'throughline'
import { saga, service, start, tool } from 'throughline'
import type { App } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'
import { yieldToEventLoop, systemClock } from '../../src/base/time/clock.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import { verify } from '../../src/control/verify.ts'
import { systemOf } from '../../src/runtime/running-system.ts'

const Add = z.object({ jar: z.string(), beans: z.int() })
const Jars = contract('jars', { key: 'jar' }, { Fill: command(Add), Filled: event(Add) })
const HOUR_MS = 3_600_000

/** What the projection and the handler think of jar `a`. */
interface Mood {
  isBad: boolean
}

function pantryOf(mood: Mood) {
  const jar = entity(
    'jar',
    { of: Jars, id: 'jar', initial: 0 },
    {
      decide: (on) => [on(Jars.Fill, (data) => Jars.Filled(data))],
      evolve: (on) => [on(Jars.Filled, ({ beans }, held) => held + beans)],
    },
  )
  const throwAt = (key: string): void => {
    if (mood.isBad && key === 'a') throw new Error('planted')
  }
  const shelf = projection('shelf', { by: 'jar', row: tool<{ beans: number }>() }, (on) => [
    on(Jars.Filled, ({ jar: id, beans }) => {
      throwAt(id)
      return { beans }
    }),
  ])
  const watching = saga('watching', { by: 'jar', initial: 0, sends: [Jars.Fill] }, (on) => [
    on(Jars.Filled, (data) => [become(1), after(HOUR_MS, Jars.Fill(data))]),
  ])
  const label = handler('label', { consume: 'queue' }, (on) => [
    on(Jars.Filled, async ({ jar: id }) => throwAt(id)),
  ])
  return service('pantry', { owns: [Jars], runs: [jar, shelf, watching, label] })
}

async function allRead(app: App): Promise<void> {
  while ((await app.status()).some(({ lag }) => lag > 0)) await yieldToEventLoop(systemClock())
}

/** Closed data: jar `a` is held at the projection and the handler, and all wait for a timer. */
async function filled(t: TestContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  await using app = await start([pantryOf({ isBad: true })], embedded({ directory }), {
    onRuleError: () => undefined,
    engine: { retryDelayMs: HOUR_MS, retryDelayMsMax: HOUR_MS },
  })
  for (const jar of ['a', 'a', 'b']) {
    const operation = await app.send(Jars.Fill({ jar, beans: 1 }))
    await operation.accepted()
  }
  await allRead(app)
  return directory
}

async function harmed(t: TestContext, sql = ''): Promise<VerifyResult> {
  const directory = await filled(t)
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  const tableOf = (name: string): string =>
    `t${String(db.prepare('SELECT id FROM tbl WHERE name = ?').get(`pantry.${name}`)?.['id'])}`
  const id = (name: string): string => tableOf(name).slice(1)
  db.exec(
    sql
      .replaceAll(/\$(\w+)/g, (_, name: string) => tableOf(name))
      .replaceAll(/#(\w+)/g, (_, name: string) => id(name)),
  )
  db.close()
  const system = await openOfflineSystem(embedded({ directory, isReadOnly: true }), systemClock())
  try {
    return await verify(system)
  } finally {
    await system.close()
  }
}

const CURES =
  /its next command or a query by its id folds the row again|the next start of the service restores the hold$|restore a backup$/
const SHELF_HELD = 'pantry/shelf:a:000000000000'

suite('inconsistent rows', () => {
  test('are not reported for consistent data with held keys and timers', async (t) => {
    const { issues, isSound } = await harmed(t)
    assert.deepEqual(issues, [])
    assert.equal(isSound, true)
  })

  const flaws: readonly (readonly [string, string, readonly string[], RegExp])[] = [
    [
      'a row of an entity that is missing',
      `DELETE FROM $jar WHERE key = 'a'`,
      ['pantry/jar a'],
      /^its row is missing, but its stream has 2 events: its next command or a query/,
    ],
    [
      'a stream that is missing',
      `DELETE FROM stream WHERE tbl = #jar AND key = 'b'`,
      ['pantry/jar b'],
      /^its row has version 1, but its stream ends at 0: restore/,
    ],
    [
      'an entry of a stream that is missing',
      `DELETE FROM stream WHERE tbl = #jar AND key = 'a' AND version = 1`,
      ['pantry/jar a'],
      /^its stream has 1 entries of 2: restore/,
    ],
    [
      'held messages without their hold',
      `DELETE FROM $holds WHERE key = 'pantry/shelf:a'`,
      ['pantry/shelf a'],
      /^2 messages are held without a hold, so that they are never retried: the next start of the service restores/,
    ],
    [
      'a hold without its messages',
      `DELETE FROM $held WHERE key LIKE 'pantry/shelf:%'`,
      ['pantry/shelf a', 'pantry/shelf'],
      /^its hold has 2 messages, but 0 are there: restore/,
    ],
    [
      'a hold that lacks one of its messages',
      `DELETE FROM $held WHERE key = '${SHELF_HELD}'`,
      ['pantry/shelf a', 'pantry/shelf'],
      /^its hold has 2 messages, but 1 are there: restore/,
    ],
    [
      'messages that are pending and neither held nor in a hold',
      `DELETE FROM $held WHERE key LIKE 'pantry/shelf:%';
       DELETE FROM $holds WHERE key = 'pantry/shelf:a'`,
      ['pantry/shelf'],
      /^2 messages are pending or dead, but 0 are held: restore/,
    ],
    [
      'an instance of a saga for which timers wait',
      `DELETE FROM $watching WHERE key = 'b'`,
      ['pantry/watching b'],
      /^a timer refers to it, but its row is missing: restore/,
    ],
    [
      'timers for which an instance waits',
      'DELETE FROM $timers WHERE i1 = (SELECT max(i1) FROM $timers)',
      ['pantry/watching b'],
      /^its timers are missing \(.+\): restore/,
    ],
  ]
  for (const [name, sql, paths, message] of flaws)
    test(`are reported: ${name}`, async (t) => {
      const { isSound, issues } = await harmed(t, sql)
      assert.equal(isSound, false)
      assert.deepEqual(
        issues.map(({ path }) => path),
        paths,
      )
      assert.match(issues[0]?.message ?? '', message)
      for (const each of issues) assert.match(each.message, CURES)
    })

  test('are not reported once a rebuild or a retry has released the held keys', async (t) => {
    const directory = await filled(t)
    const mood = { isBad: true }
    await using app = await start([pantryOf(mood)], embedded({ directory }), {
      onRuleError: () => undefined,
      engine: { retryDelayMs: HOUR_MS, retryDelayMsMax: HOUR_MS },
    })
    mood.isBad = false
    await app.rebuild('pantry/shelf')
    assert.deepEqual((await verify(systemOf(app))).issues, [])
    mood.isBad = true
    await app.send(Jars.Fill({ jar: 'a', beans: 1 }))
    await allRead(app)
    assert.deepEqual((await verify(systemOf(app))).issues, [])
  })
})
