// The commands in the documents exist: npm scripts, commands of the command line, and flags.
import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { createTestDirectory } from '../cli/harness.ts'
import { documents, read } from './documents.ts'

const TEMPLATE = 'src/cli/init/typescript/README.md'
const pages = [...documents.filter((page) => !/^(CHANGELOG|docs\/adr\/)/.test(page)), TEMPLATE]

const { scripts } = JSON.parse(read('package.json')) as {
  scripts: Readonly<Record<string, string>>
}

/** The lines of code blocks, and the code spans. */
const codeIn = (text: string): readonly string[] => {
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const spans = [...text.matchAll(/(?<!`)`([^`\n]+)`(?!`)/g)].map(([, span = '']) => span)
  return [...blocks.flatMap((block) => block.split('\n')), ...spans]
}

const COMMAND = /(?:^|[$&] |npx (?:--yes --package \S+ )?|npm run )throughline (?:-- )?([a-z].*)$/

suite('every command in the documents exists', () => {
  const at = createTestDirectory()
  for (const page of pages)
    test(page, async () => {
      for (const line of codeIn(read(page))) {
        for (const [, script = ''] of line.matchAll(/npm run (?:-s )?([\w:-]+)/g))
          assert.ok(Object.hasOwn(scripts, script), `${page}: npm run ${script}`)
        const [, said] = COMMAND.exec(line) ?? []
        if (said === undefined) continue
        const [verb = '', ...words] = said.split(/\s+/)
        const { code, out } = await at.run([verb, '--help'])
        assert.equal(code, 0, `${page}: ${line}`)
        for (const flag of words.filter((word) => /^--\w/.test(word)))
          assert.ok(out.includes(flag), `${page}: ${line}: ${flag}`)
      }
    })
  after(at.remove)
})

test('the documents install the package from its file, since no registry has it', () => {
  for (const page of pages)
    for (const line of codeIn(read(page))) {
      assert.doesNotMatch(line, /\bnpx (?:--yes )?throughline init/, page)
      assert.doesNotMatch(
        line,
        /\bnpm (?:i|install|add) (?:\S+ )*throughline(?:@\S+)?(?: |$)/,
        page,
      )
    }
})
