import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm

interface Program {
  readonly source: string
  /** What the document says that it prints: the block of text behind it. */
  readonly output: string | undefined
}

/** The programs of a document: blocks of TypeScript, each with the text that follows it. */
function programsIn(markdown: string): readonly Program[] {
  const blocks = [...markdown.matchAll(FENCE)].map(([, language, text = '']) => ({
    language,
    text,
  }))
  return blocks.flatMap(({ language, text }, at) => {
    if (language !== 'ts') return []
    const next = blocks[at + 1]
    return [{ source: text, output: next?.language === 'text' ? next.text : undefined }]
  })
}

suite('every program in the documents runs and prints what is said', () => {
  const documents = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
  for (const document of documents)
    for (const [at, { source, output }] of programsIn(
      readFileSync(join(root, document), 'utf8'),
    ).entries())
      test(`${document}, program ${at + 1}`, () => {
        // Inside the repo, so that the package finds itself by its name.
        const directory = mkdtempSync(join(root, 'test/docs/program-'))
        try {
          writeFileSync(join(directory, 'main.ts'), source)
          const { stdout, stderr, status } = spawnSync(process.execPath, ['main.ts'], {
            cwd: directory,
            encoding: 'utf8',
          })
          assert.equal(status, 0, stderr)
          if (output !== undefined) assert.equal(stdout, output)
        } finally {
          rmSync(directory, { recursive: true })
        }
      })

  test('and there is one to start with', () => {
    assert.equal(programsIn(readFileSync(join(root, 'README.md'), 'utf8')).length, 1)
  })
})

suite('every link in the documents leads somewhere', () => {
  for (const document of globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root }))
    test(document, () => {
      const text = readFileSync(join(root, document), 'utf8')
      for (const [, target = ''] of text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (/^https?:/.test(target)) continue
        const path = join(root, document, '..', target)
        assert.ok(globSync(path).length === 1, `${document} links to ${target}`)
      }
    })
})

test('no file speaks of the place that it was made in', () => {
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
