import { testStatus } from './status-fixtures.ts'
import { NO_COUNTS } from '../progress.ts'
import assert from 'node:assert/strict'
import type { LogEvent } from '../event-log.ts'
import type { EventStore, IndexValue, RowWrite, ScannedRow } from '../event-store.ts'
import type { LogCase, StoreCase } from './fixtures.ts'
import {
  ORDERS,
  declareTopics,
  commitDone,
  testEvent,
  idsOf,
  readAll,
  testRow,
  testTopic,
} from './fixtures.ts'
import { testUnit, resultCode } from './fixtures.ts'

/** A lone surrogate would come back as U+FFFD, and not every database accepts NUL. */
const UNSTORABLE = ['\ud800', 'a\udfffb', 'a\u0000b'] as const

/** Events with text that cannot be stored unchanged. */
export const storableEventCases: readonly LogCase[] = [
  {
    promise: 'Only the event with text that cannot be stored is refused',
    async run({ backend }) {
      const log = await declareTopics(backend)
      for (const [at, text] of UNSTORABLE.entries()) {
        const fields = ['id', 'key', 'type', 'head', 'data'] as const
        const bad = fields.map((field): LogEvent => {
          return { ...testEvent(`bad-${field}`, { key: `key of ${field}` }), [field]: text }
        })
        const answers = await log.append([...bad, testEvent(`well-${at}`)])
        const refused = fields.map(() => 'TEXT_NOT_STORABLE')
        assert.deepEqual(answers.map(resultCode), [...refused, 'stored'])
      }
      assert.deepEqual(idsOf(await readAll(log)), ['well-0', 'well-1', 'well-2'])
    },
  },
  {
    promise: 'A topic whose name cannot be stored is not declared',
    async run({ backend }) {
      const log = await declareTopics(backend)
      for (const text of UNSTORABLE) await assert.rejects(log.declare([testTopic(text)]))
      assert.deepEqual(await log.ends([...UNSTORABLE, '\ufffd']), [])
    },
  },
  {
    promise: 'An id that cannot be stored finds no event',
    needs: ({ log }) => log?.findById === true,
    async run({ backend }) {
      const log = await declareTopics(backend)
      await log.append([testEvent('\ufffd')])
      assert.equal((await log.find?.(ORDERS, '\ufffd'))?.id, '\ufffd')
      assert.equal(await log.find?.(ORDERS, '\ud800'), undefined)
    },
  },
]

const WORDS = 'shop.words'
const wordRow = (key: string, word: IndexValue): RowWrite =>
  testRow(WORDS, key, { body: JSON.stringify({ word }), index: { word } })

async function declareWords(store: EventStore): Promise<EventStore> {
  await store.declare([{ name: WORDS, indexes: ['word'] }])
  return store
}

/** In index order: numbers, then text by UTF-8, then text with lone surrogates by code units. */
const VALUES: readonly (string | number)[] = [
  -1e308,
  -1,
  0,
  5e-324,
  0.1,
  2 ** 53,
  2 ** 53 + 2,
  1e300,
  '',
  '\u0000',
  'a\u0000b',
  'a',
  '\ufeffa',
  '\ufffd',
  '\uffff',
  '😀',
  'a\udc00',
  '\uffff\ud800',
  '\ud800',
  '\ud800\ud800',
  '\ud83d x',
  '\udc00\ud800',
].toSorted((a, b) => rank(a) - rank(b))

function rank(value: string | number): number {
  if (typeof value === 'number') return 0
  return value.isWellFormed() ? 1 : 2
}

/** The key of the row with the value at an index. */
const keyOf = (at: number): string => `row-${String(at).padStart(2, '0')}`
const rowsOfValues = (): RowWrite[] => VALUES.map((value, at) => wordRow(keyOf(at), value))

const keysOf = (rows: readonly ScannedRow[]): string[] => rows.map(({ key }) => key)

/** Rows with text that a database would change. */
export const storableRowCases: readonly StoreCase[] = [
  {
    promise: 'An index finds any text as it was written, lone surrogates and NULs too',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      await commitDone(store, { rows: rowsOfValues() })
      for (const [at, equals] of VALUES.entries()) {
        const found = await store.scan({ table: WORDS, where: { index: 'word', equals }, limit: 9 })
        assert.deepEqual(keysOf(found), [keyOf(at)], JSON.stringify(equals))
        assert.equal(found[0]?.value, equals)
      }
    },
  },
  {
    promise:
      'Numbers come before text, and text with lone surrogates after all other, page by page',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      await commitDone(store, { rows: rowsOfValues() })
      const by = { table: WORDS, where: { index: 'word' } }
      const whole = await store.scan({ ...by, limit: 100 })
      const ranks = whole.map(({ value }) => rank(value ?? 0))
      assert.deepEqual(
        ranks,
        ranks.toSorted((a, b) => a - b),
      )
      assert.equal(whole.length, VALUES.length)
      const paged: ScannedRow[] = []
      for (let page = await store.scan({ ...by, limit: 1 }); page[0];) {
        assert.ok(paged.length < whole.length, 'pages get on')
        paged.push(page[0])
        const { key, value } = page[0]
        const after = value === undefined ? { key } : { key, value }
        page = await store.scan({ ...by, after, limit: 1 })
      }
      assert.deepEqual(paged, whole)
      for (const [at, { value: upTo }] of whole.entries()) {
        if (upTo === undefined) continue
        const where = { index: 'word', upTo }
        const found = await store.scan({ table: WORDS, where, limit: 100 })
        assert.deepEqual(found, whole.slice(0, at + 1))
      }
    },
  },
  {
    promise:
      'A row with any text in an index is found by its key, and by its new value once changed',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      await commitDone(store, { rows: [wordRow('a', '\ud800')] })
      const [row] = await store.get([{ table: WORDS, key: 'a' }])
      assert.equal(row?.body, '{"word":"\\ud800"}')
      await commitDone(store, { rows: [{ ...wordRow('a', '\ud801'), expected: 1, version: 2 }] })
      for (const [equals, keys] of [
        ['\ud800', []],
        ['\ufffd', []],
        ['\ud801', ['a']],
      ] as const) {
        const found = await store.scan({ table: WORDS, where: { index: 'word', equals }, limit: 9 })
        assert.deepEqual(keysOf(found), keys)
      }
    },
  },
  {
    promise: 'A new index finds any text that is in the rows',
    async run({ backend: { store } }) {
      await store.declare([{ name: WORDS, indexes: [] }])
      await commitDone(store, { rows: rowsOfValues().map((row) => ({ ...row, index: {} })) })
      await declareWords(store)
      for (const [at, equals] of VALUES.entries()) {
        const found = await store.scan({ table: WORDS, where: { index: 'word', equals }, limit: 9 })
        assert.deepEqual(keysOf(found), [keyOf(at)], JSON.stringify(equals))
      }
      await commitDone(store, { rows: [wordRow('later', '\udabc')] })
      assert.equal((await store.get([{ table: WORDS, key: 'later' }]))[0]?.version, 1)
    },
  },
  {
    promise: 'An index has one zero and only finite numbers',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      const values = [-0, NaN, Infinity, -Infinity]
      await commitDone(store, { rows: values.map((value, at) => wordRow(keyOf(at), value)) })
      const found = await store.scan({ table: WORDS, where: { index: 'word' }, limit: 9 })
      assert.deepEqual(
        found.map(({ value }) => value),
        [0],
      )
      assert.equal((await store.scan({ table: WORDS, limit: 9 })).length, values.length)
    },
  },
  {
    promise: 'A unit with text that cannot be stored is rejected and changes nothing',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      await declareTopics(backend)
      const progress = { topic: ORDERS, partition: 0, from: 0, next: 1 }
      const counts = { ...NO_COUNTS, accepted: 1, completed: 1 }
      const appends = store.can.atomicWithLog
      for (const text of UNSTORABLE) {
        const units = [
          { rows: [testRow(WORDS, text)] },
          { rows: [testRow(WORDS, 'a', { body: `"${text}"` })] },
          { progress: [{ consumer: text, ...progress, ...counts }] },
          {
            progress: [{ consumer: 'c', ...progress, ...counts, range: { by: text, at: 0 } }],
          },
          { statuses: [testStatus(0, { error: text })] },
          { statuses: [testStatus(0, { consumer: text })] },
          ...(appends ? [{ appends: [testEvent('e', { data: `"${text}"` })] }] : []),
        ]
        for (const unit of units)
          await assert.rejects(store.commit(testUnit({ rows: [testRow(WORDS, 'b')], ...unit })))
        await assert.rejects(store.declare([{ name: text, indexes: [] }]))
        await assert.rejects(store.declare([{ name: 'shop.bad', indexes: [text] }]))
        await assert.rejects(store.beat({ id: text }, [], 1_000))
        await assert.rejects(store.declareLedger(text, []))
        await assert.rejects(store.beat({ id: 'm' }, [text], 1_000))
      }
      assert.deepEqual(await store.scan({ table: WORDS, limit: 9 }), [])
      assert.deepEqual(await store.progress([...UNSTORABLE, '\ufffd']), [])
      assert.deepEqual(await store.statuses({ limit: 9 }), [])
      assert.deepEqual(await readAll(backend.log), [])
    },
  },
  {
    promise: 'A key that cannot be stored finds no row and no stream',
    async run({ backend }) {
      const store = await declareWords(backend.store)
      await declareTopics(backend)
      await commitDone(store, {
        rows: [wordRow('\ufffd', 'x')],
        appends: store.can.atomicWithLog ? [testEvent('e')] : [],
        streams: store.can.atomicWithLog
          ? [{ table: WORDS, key: '\ufffd', version: 1, append: 0 }]
          : [],
      })
      for (const text of UNSTORABLE) {
        const row = { table: WORDS, key: text }
        assert.deepEqual(await store.get([row]), [undefined])
        assert.deepEqual(await store.stream(row, 0, 9), [])
        assert.deepEqual(await store.streamEnds([row]), [0])
      }
      const unit = testUnit({ checks: [{ table: WORDS, key: '\ud800', expected: 1 }] })
      assert.equal((await store.commit(unit)).status, 'conflict')
    },
  },
]
