import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import {
  documents,
  filesIn,
  createScratchDirectory,
  programsIn,
  read,
  root,
  run,
} from './documents.ts'

suite('every program in the documents runs and prints the shown output', { concurrency: 3 }, () => {
  test('all programs pass the type check', async () => {
    using place = createScratchDirectory()
    const files: string[] = []
    const add = (directory: string, name: string, source: string): void => {
      mkdirSync(join(place.path, directory), { recursive: true })
      writeFileSync(join(place.path, directory, name), source)
      files.push(`${directory}/${name}`)
    }
    for (const document of documents) {
      const directory = document.replaceAll(/[/.]/g, '-')
      for (const [at, { source }] of programsIn(read(document)).entries())
        add(`${directory}-${at + 1}`, 'main.ts', source)
      for (const [name, source] of filesIn(read(document))) add(directory, name, source)
    }
    const options = { extends: '../../tsconfig.json', include: [], files }
    writeFileSync(join(place.path, 'tsconfig.json'), JSON.stringify(options))
    const { status, stdout } = await run(root, 'tools/node.mjs', 'tsc', '-p', place.path)
    assert.equal(status, 0, stdout)
  })

  for (const document of documents)
    for (const [at, { source, output }] of programsIn(read(document)).entries())
      test(`${document}, program ${at + 1}`, async () => {
        using place = createScratchDirectory()
        writeFileSync(join(place.path, 'main.ts'), source)
        const { status, stdout, stderr } = await run(place.path, 'main.ts')
        assert.equal(status, 0, stderr)
        assert.equal(stderr, '')
        if (output !== undefined) assert.equal(stdout, output)
      })
})

test('the README and each page about a rule have a program', () => {
  const ruled = documents.filter((document) => document.startsWith('docs/rules/'))
  assert.equal(ruled.length, 6)
  for (const document of ['README.md', ...ruled])
    assert.equal(programsIn(read(document)).length, 1, document)
})
