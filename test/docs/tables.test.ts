// Checks tables in the documents against the source.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { days } from '../../src/base/time/duration.ts'
import { ENGINE_OPTIONS } from '../../src/engine/context/engine-options.ts'
import { STATUSES, STATUS_TRANSITIONS } from '../../src/ports/status.ts'
import { ON_FAILED, REDRIVE_OPTIONS, RETRY_OPTIONS } from '../../src/rules/failure-policy.ts'
import { FAULT_STATUS, PROBLEMS } from '../../src/http/problem.ts'
import { errorsPage, page } from '../../tools/errors.ts'
import { read } from './documents.ts'

test('docs/errors.md is up to date', () => {
  const cure = 'docs/errors.md is out of date: run node tools/node.mjs tools/errors.ts'
  assert.equal(readFileSync(page, 'utf8'), errorsPage(), cure)
})

test('docs/gateway.md lists every code under its status', () => {
  const byStatus = new Map<number, string[]>()
  const add = (code: string, status: number): void =>
    void byStatus.set(status, [...(byStatus.get(status) ?? []), code].toSorted())
  for (const [code, { status }] of Object.entries(PROBLEMS)) add(code, status)
  for (const [code, status] of Object.entries(FAULT_STATUS)) add(code, status)
  const rows = read('docs/gateway.md').matchAll(/^\| (\d{3}) \| (.*) \|$/gm)
  const said = [...rows].map(([, status, codes = '']) => [
    Number(status),
    [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => code),
  ])
  assert.deepEqual(
    said,
    [...byStatus].toSorted(([a], [b]) => a - b),
  )
})

suite('docs/failures.md matches the source', () => {
  const failures = read('docs/failures.md')
  /** The cells of the table with this head, without the marks of code. */
  const rowsOf = (head: string): readonly (readonly string[])[] => {
    const lines = failures.slice(failures.indexOf(head)).split('\n')
    assert.equal(lines[0], head)
    const end = lines.findIndex((line) => !line.startsWith('|'))
    const cells = (line: string): string[] => line.slice(2, -2).replaceAll('`', '').split(' | ')
    return lines.slice(2, end).map(cells)
  }

  test('lists every transition of statuses, and draws each of them', () => {
    const rows = rowsOf('| From | To | By | When |')
    const steps = STATUS_TRANSITIONS.map(({ from, to, by, when }) => [from, to, by, when])
    assert.deepEqual(rows, steps)
    const drawn = [...failures.matchAll(/^ {2}([A-Z_]+) --> ([A-Z_]+)$/gm)]
    assert.deepEqual(
      drawn.map(([, from, to]) => `${from} ${to}`),
      STATUS_TRANSITIONS.map(({ from, to }) => `${from} ${to}`),
    )
    const listed = rowsOf('| Status | Means |').map(([status]) => status)
    assert.deepEqual(listed, [...STATUSES])
  })

  test('lists the options of retries and redrives with their defaults', () => {
    const retries = rowsOf('| `retry` | `engine` | Meaning | Default |')
    assert.deepEqual(
      retries.map(([name = '', engine = '', , value]) => [name, engine, value]),
      Object.entries(RETRY_OPTIONS).map(([name, option]) => {
        const same = Object.entries(ENGINE_OPTIONS).find(([, each]) => each === option)
        return [name, same?.[0], option.default.toLocaleString('en')]
      }),
    )
    const redrives = rowsOf('| `redrive` | Meaning | Default |').slice(1)
    assert.deepEqual(
      redrives.map(([name, , value]) => [name, Number(value)]),
      ['afterMs', 'times', 'perSecond'].map((name) => [
        name,
        REDRIVE_OPTIONS[name as keyof typeof REDRIVE_OPTIONS].default,
      ]),
    )
    const outcomes = rowsOf('| `onFailed` | Later messages of the key | Use it |')
    assert.deepEqual(
      outcomes.map(([name = '']) => /'(.+)'/.exec(name)?.[1]),
      [...ON_FAILED],
    )
  })

  test('says how long things are kept', () => {
    for (const [name = '', , value = ''] of rowsOf('| Option of `engine` | Keeps | Default |')) {
      const [count = ''] = value.split(' ')
      const number = Number(count.replaceAll(',', ''))
      const option = ENGINE_OPTIONS[name as keyof typeof ENGINE_OPTIONS]
      assert.equal(option.default, value.endsWith('days') ? days(number) : number, name)
    }
  })
})
