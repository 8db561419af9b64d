import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { traceContextIssues, validTraceContext } from './trace-context.ts'

const T = '12345678901234567890123456789012'
const P = '1234567890123456'
const good = `00-${T}-${P}-01`

const VALID: readonly string[] = [
  good,
  `00-${T}-${P}-00`,
  `00-${T}-${P}-ff`,
  `01-${T}-${P}-00`,
  `cc-${T}-${P}-01`,
  `cc-${T}-${P}-01-`,
  `cc-${T}-${P}-01-what-the-future-will-be-like`,
  `fe-${T}-${P}-01-${'x'.repeat(200)}`,
]

const INVALID: readonly unknown[] = [
  '',
  undefined,
  null,
  7,
  [good],
  `ff-${T}-${P}-01`,
  `0-${T}-${P}-01`,
  `0x-${T}-${P}-01`,
  `00-${'0'.repeat(32)}-${P}-01`,
  `00-${T}-${'0'.repeat(16)}-01`,
  `00-${T}-${P}-1`,
  `00-${T}-${P}-0x`,
  `00-${T}-${P}-01-`,
  `00-${T}-${P}-01-x`,
  `00-${T}-${P}-01.x`,
  `00-${T.replace('1', 'A')}-${P}-01`,
  `00-${T}1-${P}-01`,
  `00-${T}-${P}1-01`,
  `00-${T}-${P}`,
  `cc-${'0'.repeat(32)}-${P}-01`,
  `cc-${T}-${P}-01.what-the-future-will-not-be-like`,
  `cc-${T}-${P}-01-a b`,
  `cc-${T}-${P}-01-${'x'.repeat(9_999)}`,
  `${good}, ${good}`,
  `${good}\n`,
]

const state = (tracestate: unknown): unknown =>
  validTraceContext({ traceparent: good, tracestate }).tracestate

describe('a trace context', () => {
  for (const traceparent of VALID)
    test(`is propagated unchanged: ${traceparent.slice(0, 80)}`, () => {
      assert.deepEqual(validTraceContext({ traceparent }), { traceparent })
      assert.deepEqual(traceContextIssues({ traceparent }), [])
    })

  test('that is invalid is dropped from outside input and refused in the API', () => {
    for (const traceparent of INVALID) {
      const shown = JSON.stringify(traceparent)
      assert.deepEqual(validTraceContext({ traceparent, tracestate: 'a=1' }), {}, shown)
      if (traceparent === undefined) continue
      assert.deepEqual(
        traceContextIssues({ traceparent }).map(({ path }) => path),
        ['traceparent'],
        shown,
      )
    }
  })

  test('has a tracestate of up to 32 members, without the space around them', () => {
    const many = Array.from({ length: 32 }, (_, at) => `k${at}=1`).join(',')
    for (const [given, kept] of [
      ['a=1', 'a=1'],
      ['a=1,b=2', 'a=1,b=2'],
      ['\ta=1 , ,b=x y\t', 'a=1,b=x y'],
      ['fw529a3039@dt=FfGv,0tenant*/-_@sys=!', 'fw529a3039@dt=FfGv,0tenant*/-_@sys=!'],
      [many, many],
      ['', undefined],
      [' , ', undefined],
    ] as const)
      assert.equal(state(given), kept, given)
  })

  test('has no tracestate that is invalid, nor one without its traceparent', () => {
    for (const wrong of [
      'a',
      'A=1',
      'a=',
      'a=1=2',
      '=1',
      'a =1',
      'a=1,a=2',
      'a=é',
      'a=1\n',
      `${'k'.repeat(257)}=1`,
      `a=${'v'.repeat(257)}`,
      Array.from({ length: 33 }, (_, at) => `k${at}=1`).join(','),
      `${'a=1,'.repeat(9_999)}b=1`,
      7,
      null,
    ]) {
      assert.equal(state(wrong), undefined, String(wrong).slice(0, 50))
      const complaints = traceContextIssues({ traceparent: good, tracestate: wrong })
      assert.deepEqual(complaints, [{ path: 'tracestate', message: 'must be a W3C tracestate' }])
    }
    assert.deepEqual(validTraceContext({ tracestate: 'a=1' }), {})
    assert.deepEqual(traceContextIssues({ tracestate: 'a=1' }), [
      { path: 'tracestate', message: 'needs a traceparent beside it' },
    ])
  })

  test('keeps 512 characters of its tracestate: long members are removed first, then the last ones', () => {
    const member = (key: string, length: number): string => `${key}=`.padEnd(length, 'v')
    const exact = [member('a', 255), member('b', 256)].join(',')
    assert.equal(exact.length, 512)
    assert.equal(state(exact), exact)
    const short = ['c', 'd', 'e', 'f', 'g'].map((key) => member(key, 128))
    assert.equal(state([member('a', 129), ...short].join(',')), short.slice(0, 3).join(','))
  })
})
