import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

const ROWS = 48

test('every row of the catalogue is a test of that name, or says why there is none', () => {
  const rows = [...read('docs/reliability.md').matchAll(/^\| (LOG-\d\d) \| .* \| (.*) \|$/gm)]
  const names = Array.from({ length: ROWS }, (_, at) => `LOG-${String(at + 1).padStart(2, '0')}`)
  assert.deepEqual(
    rows.map(([, name]) => name),
    names,
  )
  for (const [, name = '', where = ''] of rows) {
    const files = [...where.matchAll(/`(test\/crash\/[\w.-]+\.ts)`/g)].map(([, file = '']) => file)
    for (const file of files)
      assert.ok(read(file).includes(`${name} `), `${file} has no test of ${name}`)
    assert.ok(files.length > 0 || where.length > 20 || /suite/.test(where), `${name}: ${where}`)
  }
})

test('every test that is named after a row is in the catalogue', () => {
  const page = read('docs/reliability.md')
  for (const file of ['kill', 'units', 'migration', 'power', 'damage', 'disk', 'files', 'owner']) {
    const path = `test/crash/${file}.test.ts`
    for (const [name] of read(path).matchAll(/LOG-\d\d/g)) {
      const row = page.split('\n').find((line) => line.startsWith(`| ${name} |`))
      assert.ok(row?.includes(path), `${path} has ${name}, and its row does not say so`)
    }
  }
})
