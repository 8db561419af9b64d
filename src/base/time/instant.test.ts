import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseInstant } from './instant.ts'

suite('an instant', () => {
  const same: Readonly<Record<string, string>> = {
    '2026-11-21': '2026-11-21T00:00:00.000Z',
    '2026-11-21T10:43Z': '2026-11-21T10:43:00.000Z',
    '2026-11-21T10:43:28Z': '2026-11-21T10:43:28.000Z',
    '2026-11-21T10:43:28.5Z': '2026-11-21T10:43:28.500Z',
    '2026-11-21T10:43:28.123999Z': '2026-11-21T10:43:28.123Z',
    '2026-11-21T10:43:28+01:00': '2026-11-21T09:43:28.000Z',
    '2026-11-21T00:30:00+05:45': '2026-11-20T18:45:00.000Z',
    '2026-11-21T20:00:00-04:00': '2026-11-22T00:00:00.000Z',
    '2024-02-29': '2024-02-29T00:00:00.000Z',
    '0001-01-01T00:00:00Z': '0001-01-01T00:00:00.000Z',
  }
  for (const [text, expected] of Object.entries(same))
    test(`is parsed from ${text}`, () => {
      assert.deepEqual(parseInstant(text), { atMs: Date.parse(expected) })
    })

  for (const text of ['2026-11-21T10:43:28', '2026-11-21T10:43', '2026-11-21T10:43:28.5'])
    test(`needs a zone: ${text}`, () => {
      assert.match((parseInstant(text) as { message: string }).message, /^has no time zone: add Z/)
    })

  const none = [
    '2026-02-30',
    '2025-02-29T10:00:00Z',
    '2026-13-01',
    '2026-00-10',
    '2026-11-00',
    '2026-11-21T24:00:00Z',
    '2026-11-21T23:60:00Z',
    '2016-12-31T23:59:60Z',
  ]
  for (const text of none)
    test(`does not exist: ${text}`, () => {
      assert.match(
        (parseInstant(text) as { message: string }).message,
        /^is a date or time that does not exist$/,
      )
    })

  const others = [
    '',
    'yesterday',
    '2026',
    '2026-11',
    '26-11-21',
    '2026-11-21 10:43:28Z',
    '2026-11-21T10Z',
    '2026-11-21Z',
    '2026-11-21T10:43:28+0100',
    '2026-11-21T10:43:28+24:00',
    '2026-11-21T10:43:28+01:60',
    '2026-11-21T10:43:28Z ',
    '+002026-11-21',
    '21.11.2026',
    'Sat, 21 Nov 2026 10:43:28 GMT',
  ]
  for (const text of others)
    test(`is not parsed from "${text}"`, () => {
      assert.match(
        (parseInstant(text) as { message: string }).message,
        /^is not a date or RFC 3339 timestamp, such as 2026-11-21T10:43:28Z$/,
      )
    })
})
