import assert from 'node:assert/strict'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { describe, mock, test } from 'node:test'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { z } from 'zod'
import type { Issue } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { contract, definitionOf } from './contract.ts'
import type { ValidationResult } from './validate-message.ts'
import { validateMessage } from './validate-message.ts'
import { command, event, query } from './message.ts'
import type { Message } from './message.ts'
import { invalidKeyReason } from './message-key.ts'

/** Any character. fast-check's unit `binary` first maps a million of them, which takes over a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

type Validate = StandardSchemaV1<unknown, { key: string }>['~standard']['validate']

/** A schema that does what it is told. */
function schemaOf(validate: Validate): StandardSchemaV1<unknown, { key: string }> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

/** Sends data through the door with a schema that takes everything, and says if it was asked. */
function pass(data: unknown): { verdict: ValidationResult; wasAsked: boolean } {
  const validate = mock.fn((value: unknown) => ({ value: value as { key: string } }))
  const Open = contract('open', { key: 'key' }, { Do: command(schemaOf(validate)) })
  const verdict = validateMessage(definitionOf(Open), Open.Do(data as { key: string }))
  return { verdict, wasAsked: validate.mock.callCount() > 0 }
}

/** The verdict on data, where the schema itself decides what comes of it. */
function verdictOf(validate: Validate, data: unknown = { key: 'k' }): ValidationResult {
  const Open = contract('open', { key: 'key' }, { Do: command(schemaOf(validate)) })
  return validateMessage(definitionOf(Open), Open.Do(data as { key: string }))
}

function complaintsOf(verdict: ValidationResult): readonly Issue[] {
  assert.equal(verdict.status, 'invalid')
  return verdict.status === 'invalid' ? verdict.issues : []
}

/** The complaints about data that no schema may meet. */
function kept(data: unknown): readonly Issue[] {
  const { verdict, wasAsked } = pass(data)
  assert.ok(!wasAsked, 'the schema met what it should not')
  return complaintsOf(verdict)
}

const nested = (depth: number, innermost: unknown = 1): unknown => {
  let value = innermost
  for (let level = 0; level < depth; level += 1) value = level % 2 ? { key: 'k', value } : [value]
  return value
}

test('class instances of another realm are not plain data', () => {
  const texts = ['new Date(0)', 'new Map()', 'new (class Object {})()', 'Object.create({})']
  for (const text of texts)
    assert.deepEqual(kept({ key: 'k', it: runInNewContext(text) }), [
      { path: 'it', message: 'must be plain data, not an instance of a class' },
    ])
})

describe('validateMessage accepts', () => {
  test('plain data of another realm, as of node:vm, Jest or structuredClone', () => {
    const made = runInNewContext('({ key: "k", list: [{ n: 1 }], bare: Object.create(null) })')
    for (const data of [made, structuredClone({ key: 'k', list: [{ n: 1 }], bare: {} })]) {
      const { verdict } = pass(data)
      const json = '{"key":"k","list":[{"n":1}],"bare":{}}'
      assert.deepEqual(verdict.status === 'valid' && verdict.message.json, json)
    }
  })

  test('any plain data as JSON keeps it, with its JSON text', () => {
    const data = fc.record(
      { key: fc.stringMatching(/^[a-z]{1,9}$/), rest: fc.jsonValue({ depthSize: 'small' }) },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(data, (given) => {
        fc.pre(!/"(__proto__|constructor|prototype)":/.test(JSON.stringify(given)))
        const { verdict } = pass(given)
        const json = JSON.stringify(given)
        assert.deepEqual(verdict, {
          status: 'valid',
          message: { data: JSON.parse(json), json, key: given.key },
        })
      }),
    )
  })

  test('fields that are undefined, which JSON leaves out', () => {
    const { verdict } = pass({ key: 'k', note: undefined })
    assert.equal(verdict.status === 'valid' && verdict.message.json, '{"key":"k"}')
  })

  test('text with lone surrogates, which survives as an escape', () => {
    const { verdict } = pass({ key: 'k', text: '\ud800' })
    assert.equal(verdict.status === 'valid' && verdict.message.json, '{"key":"k","text":"\\ud800"}')
  })

  test('objects without a prototype, and one value in several places', () => {
    const shared = Object.assign(Object.create(null) as object, { a: 1 })
    assert.equal(pass({ key: 'k', one: shared, other: [shared, shared] }).verdict.status, 'valid')
  })

  test('the output of the schema, not its input', () => {
    const schema = z.object({ key: z.string().trim(), count: z.int().default(1) })
    const Tidy = contract('tidy', { key: 'key' }, { Do: command(schema) })
    const verdict = validateMessage(definitionOf(Tidy), Tidy.Do({ key: ' k ', extra: 1 } as never))
    const data = { key: 'k', count: 1 }
    const json = '{"key":"k","count":1}'
    assert.deepEqual(verdict, { status: 'valid', message: { data, json, key: 'k' } })
  })

  test('a query without a key', () => {
    const Asked = contract(
      'asked',
      { key: 'key' },
      {
        Find: query(z.object({ text: z.string() }), { answers: z.string() }),
      },
    )
    const verdict = validateMessage(definitionOf(Asked), Asked.Find({ text: 'a' }))
    assert.equal(verdict.status === 'valid' && verdict.message.key, '')
  })
})

describe('validateMessage rejects, before it runs the schema,', () => {
  test('keys that may pollute a prototype, at any depth', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const message = 'is a forbidden key'
      const hostile: unknown = JSON.parse(`{ "${name}": { "isAdmin": true } }`)
      assert.deepEqual(kept(hostile), [{ path: name, message }])
      assert.deepEqual(kept({ key: 'k', lines: [{ a: hostile }] }), [
        { path: `lines[0].a.${name}`, message },
      ])
    }
    assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined)
  })

  test('values that JSON cannot hold', () => {
    const no = {
      'must be a finite number': [Number.NaN, Infinity, -Infinity],
      'must not be a bigint': [1n],
      'must not be a function': [() => 1],
      'must not be a symbol': [Symbol('a')],
      'must be plain data, not an instance of a class': [
        new Date(0),
        new Map(),
        /a/,
        new Error('a'),
        new Uint8Array(1),
        Object.create({ a: 1 }),
        Promise.resolve(),
      ],
    }
    for (const [message, values] of Object.entries(no))
      for (const value of values) {
        assert.deepEqual(kept({ key: 'k', value }), [{ path: 'value', message }])
        assert.deepEqual(kept({ key: 'k', list: [0, value] }), [{ path: 'list[1]', message }])
      }
  })

  test('lists with holes or undefined members, which JSON turns into null', () => {
    // oxlint-disable-next-line no-sparse-arrays
    assert.deepEqual(kept({ key: 'k', list: [1, , undefined] }), [
      { path: 'list[2]', message: 'is missing' },
      { path: 'list[1]', message: 'is missing' },
    ])
  })

  test('a toJSON method', () => {
    const data = { key: 'k', toJSON: () => ({ key: 'other' }) }
    assert.deepEqual(kept(data), [{ path: 'toJSON', message: 'must not be a function' }])
  })

  test('data nested deeper than its limit, and nothing above it', () => {
    assert.ok(pass(nested(LIMITS.depthMax)).wasAsked)
    const [complaint, ...rest] = kept(nested(LIMITS.depthMax + 1))
    assert.equal(complaint?.message, 'is nested more than 32 deep')
    assert.deepEqual(rest, [])
    assert.equal(kept(nested(100_000)).length, 1)
  })

  test('data that contains itself', () => {
    const loop: Record<string, unknown> = { key: 'k' }
    loop['again'] = loop
    assert.match(kept(loop)[0]?.message ?? '', /nested more than 32 deep/)
    const list: unknown[] = []
    list.push(list, list, list)
    assert.ok(kept({ key: 'k', list }).length > 0)
  })

  test('more values than its limit', () => {
    const list = Array.from({ length: LIMITS.valuesMax - 3 }, () => 0)
    assert.ok(pass({ key: 'k', list: [...list] }).wasAsked)
    const complaints = kept({ key: 'k', list: [...list, 0] })
    assert.deepEqual(complaints, [{ path: '', message: 'has over 200000 values' }])
  })

  test('more text than its limit', () => {
    const half = 'x'.repeat(LIMITS.dataBytesMax / 2)
    const complaints = kept({ key: 'k', one: half, other: half })
    assert.deepEqual(complaints, [{ path: '', message: 'must be at most 1048576 bytes as JSON' }])
  })

  test('all issues at once', () => {
    const paths = kept({ a: Number.NaN, b: [1n, { constructor: 1 }], c: new Date(0), d: 1 }).map(
      ({ path }) => path,
    )
    assert.deepEqual(paths.toSorted(), ['a', 'b[0]', 'b[1].constructor', 'c'])
  })

  test('with at most 100 issues', () => {
    const list = Array.from({ length: 5_000 }, () => Number.NaN)
    const holes = Array.from({ length: 5_000 }, () => undefined)
    assert.equal(kept({ key: 'k', list }).length, LIMITS.issuesMax)
    assert.ok(kept({ key: 'k', holes }).length <= LIMITS.issuesMax)
  })

  test('and never throws', () => {
    const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true })
    fc.assert(
      fc.property(anything, (data) => {
        const { verdict } = pass(data)
        assert.ok(verdict.status === 'valid' || verdict.issues.length > 0)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('validateMessage rejects', () => {
  test('JSON that is over its limit only in bytes', () => {
    const text = '€'.repeat(LIMITS.dataBytesMax / 3)
    const verdict = pass({ key: 'k', text }).verdict
    const message = 'must be at most 1048576 bytes as JSON'
    assert.deepEqual(complaintsOf(verdict), [{ path: '', message }])
    const most = 'x'.repeat(LIMITS.dataBytesMax - JSON.stringify({ key: 'k', text: '' }).length)
    assert.equal(pass({ key: 'k', text: most }).verdict.status, 'valid')
    assert.equal(pass({ key: 'k', text: `${most}x` }).verdict.status, 'invalid')
  })

  test('a message that its contract does not have', () => {
    const Small = contract('small', { key: 'key' }, { Done: event(z.object({ key: z.string() })) })
    const facts = definitionOf(Small)
    const done = Small.Done({ key: 'k' })
    const only = { path: '', message: 'small has no command Done (known: Done)' }
    const asCommand: Message = { ...done, kind: 'command' }
    assert.deepEqual(complaintsOf(validateMessage(facts, asCommand)), [only])
    for (const name of ['Dome', 'toString', '__proto__'])
      assert.match(
        complaintsOf(validateMessage(facts, { ...done, name }))[0]?.message ?? '',
        new RegExp(`small has no event ${name} [(]known: Done[)]`),
      )
  })

  test('all issues of the schema, each with its path', () => {
    const schema = z.object({
      key: z.string(),
      lines: z.array(z.object({ quantity: z.int() })),
    })
    const Lines = contract('lines', { key: 'key' }, { Do: command(schema) })
    const wrong = { key: 1, lines: [{ quantity: 1 }, { quantity: 'x' }] }
    const verdict = validateMessage(definitionOf(Lines), Lines.Do(wrong as never))
    const paths = complaintsOf(verdict).map(({ path }) => path)
    assert.deepEqual(paths, ['key', 'lines[1].quantity'])
  })

  test('with paths of path segments as well as of plain keys', () => {
    const path = [{ key: 'lines' }, { key: 3 }, 'sku']
    const verdict = verdictOf(() => ({ issues: [{ message: 'no', path }, { message: 'none' }] }))
    assert.deepEqual(complaintsOf(verdict), [
      { path: 'lines[3].sku', message: 'no' },
      { path: '', message: 'none' },
    ])
  })

  test('at most 100 issues of a schema', () => {
    const issues = Array.from({ length: 250 }, () => ({ message: 'no' }))
    assert.equal(complaintsOf(verdictOf(() => ({ issues }))).length, LIMITS.issuesMax)
  })

  test('an asynchronous schema, with a fault', () => {
    assert.throws(
      () => verdictOf(async (value) => ({ value: value as { key: string } })),
      /SCHEMA_INVALID: .*: open\.Do\n {2}- its schema returned a promise/,
    )
    const late = z.object({ key: z.string().refine(async () => true) })
    const Late = contract('late', { key: 'key' }, { Do: command(late) })
    assert.throws(
      () => validateMessage(definitionOf(Late), Late.Do({ key: 'k' })),
      /SCHEMA_INVALID/,
    )
  })

  test('a schema that returns undefined', () => {
    const verdict = verdictOf(() => ({ value: undefined as never }))
    assert.deepEqual(complaintsOf(verdict), [{ path: '', message: 'must not be undefined' }])
  })

  test('output of a schema that JSON cannot hold, with a fault', () => {
    for (const value of [1n, new Date(0), new Map(), [() => 1]])
      assert.throws(
        () => verdictOf(() => ({ value: { key: 'k', value } })),
        /SCHEMA_INVALID: [^]*open\.Do\n {2}- value(?:\[0\])?: must/,
      )
  })

  test('output of a schema that exceeds the limits', () => {
    const verdict = verdictOf(() => ({ value: { key: 'k', list: Array(300_000).fill(0) } }))
    assert.deepEqual(complaintsOf(verdict), [{ path: '', message: 'has over 200000 values' }])
  })

  test('NaN in the output of a schema', () => {
    const verdict = verdictOf(() => ({ value: { key: 'k', sum: Number.NaN } }))
    assert.deepEqual(complaintsOf(verdict), [{ path: 'sum', message: 'must be a finite number' }])
  })

  test('data that is null where the schema allows it, since it has no key', () => {
    const verdict = verdictOf(() => ({ value: null as never }))
    assert.equal(verdict.status, 'invalid')
  })

  test('an asynchronous schema that fails, without an unhandled rejection', async () => {
    const late: Promise<never> = Promise.reject(new Error('the schema broke'))
    const handle = mock.method(late, 'then')
    assert.throws(() => verdictOf(() => late), /SCHEMA_INVALID/)
    const wasHandled = handle.mock.callCount() > 0
    await assert.rejects(late)
    assert.ok(wasHandled, 'nobody listens to the promise, so its failure ends the process')
  })
})

describe('a key', () => {
  const flaws: readonly (readonly [unknown, string | undefined])[] = [
    ['c-1', undefined],
    ['客户 😀', undefined],
    ['k'.repeat(256), undefined],
    ['k'.repeat(257), 'must have at most 256 characters'],
    ['', 'must not be empty'],
    [7, 'must be text'],
    [undefined, 'must be text'],
    [null, 'must be text'],
    [{}, 'must be text'],
    ['a\u0000', 'must not contain control characters'],
    ['a\n', 'must not contain control characters'],
    ['\u007f', 'must not contain control characters'],
    ['\ud800', 'must be well-formed Unicode'],
    ['a\udc00b', 'must be well-formed Unicode'],
  ]
  for (const [key, flaw] of flaws)
    test(`${JSON.stringify(key)?.slice(0, 12)} ${flaw ?? 'is fine'}`, () => {
      assert.equal(invalidKeyReason(key), flaw)
      const { verdict } = pass({ key })
      if (!flaw) assert.equal(verdict.status === 'valid' && verdict.message.key, key)
      else assert.deepEqual(complaintsOf(verdict), [{ path: 'key', message: flaw }])
    })

  test('that is valid survives UTF-8', () => {
    const some = fc.string({ unit: character, minLength: 1 })
    fc.assert(
      fc.property(some, (key) => {
        if (invalidKeyReason(key) !== undefined) return
        assert.equal(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(key)), key)
      }),
    )
  })
})
