// The types of the gateway: each misuse is a type error, and correct use is not.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const DIRECTIVE = /^\s*\/\/ @ts-expect-error\b.*$/

/** The lines of each text in which the compiler finds errors. */
async function linesWithErrors(texts: readonly string[]): Promise<readonly (readonly number[])[]> {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
  const directory = mkdtempSync(join(here, 'copy-'))
  try {
    const settings = { extends: '../../../tsconfig.json', include: ['*.ts'] }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(settings))
    for (const [at, text] of texts.entries())
      writeFileSync(join(directory, `text-${at}.ts`), text.replaceAll(`'./`, `'../`))
    const compiler = resolve(dirname(manifest), bin.tsc)
    const child = spawn(process.execPath, [compiler, '-p', directory, '--pretty', 'false'])
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    await new Promise((done) => child.on('close', done))
    const found = [...output.matchAll(/text-(\d+)\.ts\((\d+),\d+\): error/g)]
    const linesOf = (at: number): Iterable<number> =>
      found.filter(([, text]) => Number(text) === at).map(([, , line]) => Number(line))
    return texts.map((_, at) => [...new Set(linesOf(at))])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

test('each misuse of routes and the client is a type error in its line', async () => {
  const source = readFileSync(join(here, 'type-errors.ts'), 'utf8')
  const lines = source.split('\n')
  const misuses = lines.flatMap((line, index) => (DIRECTIVE.test(line) ? [index + 2] : []))
  assert.ok(misuses.length >= 12)
  const bare = lines.map((line) => (DIRECTIVE.test(line) ? '//' : line)).join('\n')
  assert.deepEqual(await linesWithErrors([source, bare]), [[], misuses])
})
