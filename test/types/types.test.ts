// The types of the library as its user meets them: the sample compiles, and each misuse does not.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))
const DIRECTIVE = /^\s*\/\/ @ts-expect-error\b/

/** The compiler's own script, as its package names it. */
function compiler(): string {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
  return resolve(dirname(manifest), bin.tsc)
}

interface Compiled {
  readonly code: number | null
  readonly output: string
}

function compile(project: string): Promise<Compiled> {
  const child = spawn(process.execPath, [compiler(), '-p', project, '--pretty', 'false'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => done({ code, output }))
  })
}

interface Diagnostic {
  readonly file: string
  readonly line: number
  readonly text: string
}

function diagnosticsOf({ output }: Compiled): Diagnostic[] {
  return output.split('\n').flatMap((text) => {
    const [, file, line] = /^(.+?)\((\d+),\d+\): error TS/.exec(text) ?? []
    return file && line ? [{ file: basename(file), line: Number(line), text }] : []
  })
}

interface Misuse {
  readonly name: string
  /** Its line once the directives are gone. */
  readonly line: number
}

/** The lines of the misuses without their directives, and where each of them has come to stand. */
function withoutDirectives(source: string): { text: string; misuses: readonly Misuse[] } {
  const lines: string[] = []
  const misuses: Misuse[] = []
  for (const line of source.split('\n')) {
    if (DIRECTIVE.test(line)) {
      const name = line.replace(DIRECTIVE, '').trim()
      misuses.push({ name, line: lines.length + 1 })
    } else lines.push(line)
  }
  return { text: lines.join('\n'), misuses }
}

/** Compiles files in a directory of their own, beside the sample, which is gone afterwards. */
async function compileCopies(files: Readonly<Record<string, string>>): Promise<Compiled> {
  const directory = mkdtempSync(join(here, 'copy-'))
  try {
    const settings = { extends: '../../../tsconfig.json', include: ['*.ts'] }
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(settings))
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(directory, name), text.replaceAll(`'./sample.ts'`, `'../sample.ts'`))
    return await compile(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe('the types', () => {
  const source = readFileSync(join(here, 'misuses.ts'), 'utf8')
  const { text, misuses } = withoutDirectives(source)
  let compiled: Compiled

  // Once with the directives and once without them, in one run of the compiler.
  before(async () => {
    compiled = await compileCopies({ 'expected.ts': source, 'misuses.ts': text })
  })

  test('accept the sample and refuse every misuse', () => {
    const others = diagnosticsOf(compiled).filter(({ file }) => file !== 'misuses.ts')
    assert.deepEqual(others, [])
  })

  test('report an error exactly at the line of each misuse', () => {
    assert.ok(misuses.length >= 15 && misuses.every(({ name }) => name !== ''))
    const found = diagnosticsOf(compiled).filter(({ file }) => file === 'misuses.ts')
    const linesFound = new Set(found.map(({ line }) => line))
    const unseen = misuses.filter(({ line }) => !linesFound.has(line)).map(({ name }) => name)
    assert.deepEqual(unseen, [], 'these misuses are no errors')
    const linesOfMisuses = new Set(misuses.map(({ line }) => line))
    const others = found.filter(({ line }) => !linesOfMisuses.has(line))
    assert.deepEqual(
      others.map((each) => each.text),
      [],
      'what is right must stay right',
    )
  })
})
