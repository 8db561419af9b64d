import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { documents, read, root, targetOf } from './documents.ts'

const linksIn = (document: string): { readonly target: string; readonly heading: string }[] =>
  [...read(document).matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)]
    .map(([, target = '', heading = '']) => ({ target, heading }))
    .filter(({ target }) => !/^https?:/.test(target))

/** The anchor of a heading. */
const slugOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

const headingsOf = (path: string): readonly string[] =>
  [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => slugOf(heading))

suite('every link in the documents resolves', () => {
  const all = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root })
  for (const document of all)
    test(document, () => {
      for (const { target, heading } of linksIn(document)) {
        const path = target === '' ? document : targetOf(document, target)
        assert.ok(existsSync(join(root, path)), `${document} links to ${target}`)
        if (heading !== '')
          assert.ok(headingsOf(path).includes(heading), `${document} links to ${target}#${heading}`)
      }
    })
})

suite('every source file that the documents name exists', () => {
  const all = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
  // Decisions and the changelog tell of files as they were.
  for (const document of all.filter((each) => !/^CHANGELOG|^docs\/adr\//.test(each)))
    test(document, () => {
      const paths = read(document).matchAll(/`((?:src|test|tools|bench|examples)\/[\w./-]*\w)\/?`/g)
      for (const [, path = ''] of paths)
        assert.ok(existsSync(join(root, path)), `${document} names ${path}`)
    })
})

test('the index of the documents links to each of them', () => {
  const index = 'docs/README.md'
  const linked = new Set(linksIn(index).map(({ target }) => targetOf(index, target)))
  const pages = documents.filter((each) => /^docs\/(?!adr\/)/.test(each))
  for (const page of pages)
    if (page !== index) assert.ok(linked.has(page), `${page} is not in the index`)
  assert.ok(linked.has('docs/adr/README.md'))
})

test('no file mentions the machine or the tools that made it', () => {
  const said = /\/work\/|\/root\/|\/tmp\/bash|registry\.npm|\b(?:TODO|FIXME)\b/
  const patterns = [
    '*.md',
    '*.json',
    'docs/**',
    'src/**',
    'examples/**/*.ts',
    'tools/**',
    'test/**',
  ]
  const own = fileURLToPath(import.meta.url)
  const files = globSync(patterns, { cwd: root, exclude: ['**/*.csv'], withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
  for (const file of files)
    if (file !== own) assert.doesNotMatch(readFileSync(file, 'utf8'), said, file)
})
