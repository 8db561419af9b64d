// Rows of entities that were deleted, or replaced by older ones: the stream restores their state.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import {
  command,
  contract,
  entity,
  event,
  query,
  queryHandler,
  refuse,
  service,
  start,
} from 'throughline'
import type { App } from 'throughline'
import { embedded } from 'throughline/embedded'
import { z } from 'zod'
import { tableRowChecksum } from '../../src/backends/embedded/sql/checksums.ts'
import { rulesOfEntity } from '../../src/engine/plan/rule-fingerprint.ts'

const Add = z.object({ jar: z.string(), beans: z.int() })
const Jars = contract(
  'jars',
  { key: 'jar' },
  {
    Fill: command(Add),
    Take: command(Add, { refuses: ['empty'] }),
    Pour: command(z.object({ jar: z.string(), into: z.string() }), { refuses: ['empty'] }),
    Filled: event(Add),
    Count: query(z.object({ jar: z.string() }), { answers: z.unknown() }),
  },
)

const jar = entity(
  'jar',
  { of: Jars, id: 'jar', initial: 0 },
  {
    decide: (on) => [
      on(Jars.Fill, (data) => Jars.Filled(data)),
      on(Jars.Take, ({ jar: id, beans }, held) => {
        return held < beans ? refuse('empty') : Jars.Filled({ jar: id, beans: -beans })
      }),
      on(
        Jars.Pour,
        { ids: ({ jar: from, into }) => [from, into] },
        ({ jar: from, into }, states) => {
          const beans = states.get(from) ?? 0
          if (beans === 0) return refuse('empty')
          return [Jars.Filled({ jar: from, beans: -beans }), Jars.Filled({ jar: into, beans })]
        },
      ),
    ],
    evolve: (on) => [on(Jars.Filled, ({ beans }, held) => held + beans)],
  },
)
const reading = queryHandler('reading', { of: Jars, reads: [jar] }, (on) => [
  on(Jars.Count, async ({ jar: id }, read) => (await read(jar).get(id)) ?? null),
])
const pantry = service('pantry', { owns: [Jars], runs: [jar, reading] })

const TABLE = 'pantry.jar'

type Harm = (table: string, known: { readonly id: number; readonly rules: string }) => string

/** Closed data with three jars of 60 beans, each with three events, changed by SQL. */
async function harmed(t: TestContext, harm: Harm): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const names = ['a', 'b', 'c']
  {
    await using app = await start([pantry], embedded({ directory }))
    for (const name of names)
      for (const beans of [10, 20, 30]) await app.send(Jars.Fill({ jar: name, beans }))
    await app.settled()
  }
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  const id = Number(db.prepare('SELECT id FROM tbl WHERE name = ?').get(TABLE)?.['id'])
  db.exec(harm(`t${id}`, { id, rules: rulesOfEntity(jar) }))
  db.close()
  return directory
}

const lost = (t: TestContext, where = "key = 'a'"): Promise<string> =>
  harmed(t, (table) => `DELETE FROM ${table} WHERE ${where}`)

type Running = App & { readonly broke: readonly string[]; readonly faults: readonly string[] }

async function started(directory: string): Promise<Running> {
  const [broke, faults]: [string[], string[]] = [[], []]
  const app = await start([pantry], embedded({ directory }), {
    onBackendError: (group, cause) => void broke.push(`${group}: ${String(cause)}`),
    onRuleError: ({ key, error }) => void faults.push(`${key}: ${error}`),
  })
  return Object.assign(app, { broke, faults })
}

const beansIn = (app: App, jar: string): Promise<unknown> => app.ask(Jars.Count({ jar }))

/** The counters of a consumer once a message has failed there. */
async function deadAt(app: App, consumer: string) {
  for (;;) {
    const found = (await app.status()).find((each) => each.consumer === consumer)
    if (found && found.dead > 0) return found
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The outcome of a command: `accepted`, or the code of its refusal. */
async function outcomeOf(app: App, command: Parameters<App['send']>[0]): Promise<string> {
  const operation = await app.send(command)
  const outcome = await operation.accepted()
  return outcome.status === 'refused' ? outcome.code : outcome.status
}

suite('an entity whose row was lost', () => {
  test('handles its next command with the state of its events', async (t) => {
    await using app = await started(await lost(t))
    assert.equal(await outcomeOf(app, Jars.Fill({ jar: 'a', beans: 5 })), 'accepted')
    assert.equal(await beansIn(app, 'a'), 65)
    assert.equal(await beansIn(app, 'b'), 60)
    assert.deepEqual([app.broke, app.faults], [[], []])
  })

  test('is visible to a query', async (t) => {
    await using app = await started(await lost(t))
    assert.equal(await beansIn(app, 'a'), 60)
    assert.equal(await beansIn(app, 'nowhere'), null)
  })

  test('does not refuse a command for lack of its state', async (t) => {
    await using app = await started(await lost(t))
    assert.equal(await outcomeOf(app, Jars.Take({ jar: 'a', beans: 60 })), 'accepted')
    assert.equal(await outcomeOf(app, Jars.Take({ jar: 'a', beans: 1 })), 'empty')
    assert.equal(await outcomeOf(app, Jars.Take({ jar: 'new', beans: 1 })), 'empty')
    assert.equal(await beansIn(app, 'a'), 0)
  })

  test('is one of several entities of a command', async (t) => {
    await using app = await started(await lost(t, "key IN ('a', 'b')"))
    assert.equal(await outcomeOf(app, Jars.Pour({ jar: 'a', into: 'b' })), 'accepted')
    assert.deepEqual([await beansIn(app, 'a'), await beansIn(app, 'b')], [0, 120])
    assert.equal(await outcomeOf(app, Jars.Pour({ jar: 'a', into: 'c' })), 'empty')
  })

  test('is restored among many new and existing entities', async (t) => {
    await using app = await started(await lost(t, "key IN ('a', 'b', 'c')"))
    const names = ['a', 'n0', 'b', 'n1', 'n2', 'c', 'a', 'n3', 'b', 'c']
    await Promise.all(names.map((name) => app.send(Jars.Fill({ jar: name, beans: 1 }))))
    await app.settled()
    const counts = await Promise.all(['a', 'b', 'c', 'n0', 'n3'].map((name) => beansIn(app, name)))
    assert.deepEqual(counts, [62, 62, 62, 1, 1])
    assert.deepEqual([app.broke, app.faults], [[], []])
  })

  test('holds its key where the log no longer has its events', async (t) => {
    const directory = await lost(t)
    {
      const { log, store } = embedded({ directory })
      await log.open()
      for (const { topic, partition, next } of await log.ends(['jars.events']))
        await log.trim(topic, partition, next)
      await store.close()
      await log.close()
    }
    const app = await started(directory)
    await app.send(Jars.Fill({ jar: 'a', beans: 5 }))
    assert.equal(await outcomeOf(app, Jars.Fill({ jar: 'b', beans: 5 })), 'accepted')
    await assert.rejects(beansIn(app, 'a'), { code: 'STREAM_INCOMPLETE' })
    const failed = await deadAt(app, 'pantry/jar')
    assert.deepEqual([failed.dead, failed.pending], [1, 0])
    assert.match(app.faults[0] ?? '', /^a: STREAM_INCOMPLETE/)
    assert.deepEqual(app.broke, [])
    await app.stop()
  })
})

suite('an entity whose row is older than its events', () => {
  const older = (t: TestContext): Promise<string> =>
    harmed(t, (table, { id, rules }) => {
      const body = JSON.stringify({ state: 10, rules })
      const sum = tableRowChecksum(id, 'a', 1, body, [])
      return `UPDATE ${table} SET version = 1, body = '${body}', sum = ${sum} WHERE key = 'a'`
    })

  test('handles its next command with the state of its events', async (t) => {
    await using app = await started(await older(t))
    assert.equal(await outcomeOf(app, Jars.Fill({ jar: 'a', beans: 5 })), 'accepted')
    assert.equal(await beansIn(app, 'a'), 65)
  })

  test('is visible to a query, and does not refuse a command for lack of its state', async (t) => {
    await using app = await started(await older(t))
    assert.equal(await beansIn(app, 'a'), 60)
    await using other = await started(await older(t))
    assert.equal(await outcomeOf(other, Jars.Take({ jar: 'a', beans: 60 })), 'accepted')
  })
})
