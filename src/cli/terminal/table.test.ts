import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { truncate, table, tableText } from './table.ts'

const plain = (_: unknown, text: string): string => text
const UUID = '01a1fdb4-36f4-7258-97c0-6d2e490a0433'
const COLUMNS = [{ title: 'name' }, { title: 'count', isNumber: true }, { title: 'note' }]

suite('a table', () => {
  test('aligns text left and numbers right, without trailing blanks', () => {
    const rows = [
      ['a', '1', ''],
      ['longer', '1,000,000', 'x'],
    ]
    assert.deepEqual(tableText(COLUMNS, rows, plain).split('\n'), [
      'name        count  note',
      'a               1',
      'longer  1,000,000  x',
    ])
  })

  test('keeps its column widths over several calls', () => {
    const growing = table(COLUMNS, plain)
    growing.lines([['wide name', '1', 'x']])
    assert.deepEqual(growing.lines([['a', '2', 'x']]), ['a              2  x'])
  })

  test('is truncated at the width of the terminal', () => {
    const narrow = table(COLUMNS, plain, 8)
    assert.deepEqual(narrow.lines([['a long name', '1', '']]), ['a long …'])
    assert.equal(truncate('exactly', 7), 'exactly')
  })

  test('is not widened by one long key', () => {
    const columns = [{ title: 'key', widthMax: 8 }, { title: 'data' }]
    const rows = [
      ['a', '{}'],
      ['a very long key', '{"whole":true}'],
    ]
    assert.deepEqual(tableText(columns, rows, plain).split('\n'), [
      'key       data',
      'a         {}',
      'a very long key  {"whole":true}',
    ])
    const cutAt = table(columns, plain, 30)
    assert.deepEqual(cutAt.lines(rows), ['a         {}', 'a very …  {"whole":true}'])
  })

  test('shows the last column on a terminal of ordinary width', () => {
    const limited = (title: string) => ({ title, widthMax: 64 })
    const lists = [
      ['consumer', 'key', 'for', 'waiting', 'behind', 'attempts', 'next', 'error'],
      ['time', 'command', 'key', 'id', 'state', 'waits for, or why'],
    ]
    const rows = [
      ['ordering/mail', 'c:14606', '12 min', '3', `ordering.OrderPlaced ${UUID}`, '18', 'in 41 s'],
      ['2026-11-21T10:43:28.628Z', 'ordering.PlaceOrder', `order:${UUID}`, UUID, 'pending'],
    ]
    for (const [at, titles] of lists.entries()) {
      const columns = titles.map((title) =>
        ['consumer', 'command', 'key', 'behind', 'id'].includes(title) ? limited(title) : { title },
      )
      for (const width of [80, 100, 120]) {
        const narrow = table(columns, plain, width)
        const [line = ''] = narrow.lines([[...(rows[at] ?? []), 'connect ECONNREFUSED 10.0.0.1']])
        assert.match(line, /(?:in 41 s|pending) +connect ECONN/)
        assert.ok(line.length <= width, `${width}: ${line}`)
        assert.ok(titles.every((title) => narrow.head().includes(title)))
      }
      assert.equal(
        table(columns, plain, 300)
          .lines([rows[at] ?? []])[0]
          ?.includes('…'),
        false,
      )
    }
  })

  test('does not split a surrogate pair', () => {
    assert.equal(truncate('ab😀cd', 4), 'ab…')
    assert.equal(truncate('ab😀cd', 5), 'ab😀…')
  })

  test('escapes control characters of the log', () => {
    const hostile = 'a\u001b[2J\u009b0m\r\nb\u007f'
    assert.equal(tableText(COLUMNS, [[hostile, '1', 'x']], plain).split('\n').length, 2)
  })
})
