// Checks tables in the documents against the source.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
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
