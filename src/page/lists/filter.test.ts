import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterFrom, localTimeText } from './filter.ts'

const FIELDS = [
  { name: 'key', kind: 'text' },
  { name: 'since', kind: 'time' },
  { name: 'offset', kind: 'number' },
]

function formOf(values: Readonly<Record<string, string>>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(values)) form.set(name, value)
  return form
}

test('a filter has the filled fields', () => {
  assert.deepEqual(filterFrom(FIELDS, formOf({ key: ' a ', offset: '', other: 'x' })), { key: 'a' })
  assert.deepEqual(filterFrom(FIELDS, formOf({})), {})
})

test('a time is sent in milliseconds, and shown again as the same local time', () => {
  const given = '2026-03-29T12:30:05'
  const filter = filterFrom(FIELDS, formOf({ since: given }))
  assert.deepEqual(filter, { since: String(new Date(given).getTime()) })
  assert.equal(localTimeText(filter['since'] ?? ''), given)
  assert.deepEqual(filterFrom(FIELDS, formOf({ since: 'yesterday' })), {})
  assert.deepEqual(['', 'x'].map(localTimeText), ['', ''])
})
