import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import type { EntryPoint } from './exports.ts'
import { exportsOf } from './exports.ts'

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, string> }
const listed = JSON.parse(read('test/boundaries/exports.json')) as Record<string, EntryPoint>
const nameOf = (door: string): string => door.replace(/^\./, 'throughline')

suite('an entry point exports exactly the names in exports.json', () => {
  for (const [door, path] of Object.entries(exports))
    test(nameOf(door), async () => {
      const found = exportsOf(read(path))
      assert.deepEqual(found, listed[door])
      const module = (await import(nameOf(door))) as object
      assert.deepEqual(Object.keys(module).toSorted(), found.values)
    })

  test('every list belongs to an entry point', () => {
    assert.deepEqual(Object.keys(listed).toSorted(), Object.keys(exports).toSorted())
  })
})

test('all forms of exports are found', () => {
  const text = `export type { A, B } from './a.ts'
export { c, d as e } from './c.ts'
export interface F {}
export function g(): void {}
export const h = 1
function hidden(): void {}
`
  assert.deepEqual(exportsOf(text), { values: ['c', 'e', 'g', 'h'], types: ['A', 'B', 'F'] })
})
