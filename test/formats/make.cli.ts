// Freezes the data of today's format, as `node tools/node.mjs test/formats/make.cli.ts DIRECTORY`: once,
// with the code of the version that is released. What is frozen is never made again: data of that
// version is out there.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from 'throughline/embedded'
import { freeze } from './frozen.ts'
import type { Expected } from './frozen.ts'
import { makeData, stoppedAt } from './make.ts'
import { namesIn } from './names.ts'
import { contentOf } from './read.ts'

const [, , to = ''] = process.argv
if (to === '' || existsSync(to)) throw new Error('name a directory that is not there yet')
const root = mkdtempSync(join(tmpdir(), 'throughline-'))
try {
  const { at, data } = await makeData(root)
  const names = namesIn(root)
  mkdirSync(to)
  freeze(root, to)
  const clock = stoppedAt(at)
  const content = await contentOf(embedded({ directory: data, isReadOnly: true, clock }), clock)
  const expected: Expected = { at, content, names }
  writeFileSync(join(to, 'expected.json'), JSON.stringify(expected))
} finally {
  rmSync(root, { recursive: true })
}
