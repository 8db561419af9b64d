// Parses the documents: programs with their outputs, project files, and requests with their answers.
import { execFile } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** The paths of all documents, from the root. */
export const documents: readonly string[] = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted()

export const read = (document: string): string => readFileSync(join(root, document), 'utf8')

/** A fenced block of a document. */
export interface Block {
  readonly language: string
  readonly text: string
}

const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm

export function blocksIn(markdown: string): readonly Block[] {
  return [...markdown.matchAll(FENCE)].map(([, language = '', text = '']) => ({ language, text }))
}

/** A program, and its output in the document: the `text` block after it. */
export interface Program {
  readonly source: string
  readonly output: string | undefined
}

/** The first line of a block that is a file of the document's project, not a program. */
const NAMED = /^\/\/ ([\w.-]+\.ts)\n/

export function programsIn(markdown: string): readonly Program[] {
  const blocks = blocksIn(markdown)
  return blocks.flatMap(({ language, text: source }, at) => {
    if (language !== 'ts' || NAMED.test(source)) return []
    const next = blocks[at + 1]
    return [{ source, output: next?.language === 'text' ? next.text : undefined }]
  })
}

/** The files of a document's project, by name. */
export function filesIn(markdown: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const { language, text } of blocksIn(markdown)) {
    const [, name] = (language === 'ts' && NAMED.exec(text)) || []
    if (name === undefined) continue
    if (files.has(name)) throw new Error(`the document has two files named ${name}`)
    files.set(name, text)
  }
  return files
}

/** A request that a document makes with curl. */
export interface Curl {
  readonly path: string
  readonly init: { readonly method: string; readonly headers: Headers; readonly body?: string }
}

/** The answer in a document. It has a status only after `curl -i`. */
export interface Answer {
  readonly status?: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Parsed JSON, or text. */
  readonly body: unknown
}

export interface Exchange {
  readonly command: string
  readonly curl: Curl
  readonly answer: Answer
}

/** The shell blocks of a document in order: requests with their answers, and other commands. */
export type Step =
  | ({ readonly kind: 'exchange' } & Exchange)
  | { readonly kind: 'other'; text: string }

export function stepsIn(markdown: string): readonly Step[] {
  const blocks = blocksIn(markdown)
  return blocks.flatMap(({ language, text }, at): Step[] => {
    if (language !== 'sh') return []
    if (!text.startsWith('curl ')) return [{ kind: 'other', text }]
    const next = blocks[at + 1]
    if (!next || !/^(?:json|http|text)$/.test(next.language))
      throw new Error(`the document has no answer to ${text}`)
    return [{ kind: 'exchange', command: text, curl: curlOf(text), answer: answerOf(next) }]
  })
}

/** Splits a command line into words, with quotes and line continuations. */
function wordsOf(line: string): string[] {
  const words = line.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)
  return [...words].map(([, single, double, plain]) => single ?? double ?? plain ?? '')
}

function curlOf(command: string): Curl {
  const [name, ...words] = wordsOf(command.trim())
  const headers = new Headers()
  let [url, body, method]: (string | undefined)[] = []
  while (words.length > 0) {
    const word = words.shift() as string
    if (word === '-H') {
      const [, header = '', value = ''] = /^([^:]+): *(.*)$/.exec(words.shift() ?? '') ?? []
      headers.append(header, value)
    } else if (word === '-d') body = words.shift()
    else if (word === '-X') method = words.shift()
    else if (/^https?:/.test(word)) url = word
    else if (!/^-[iN]$/.test(word)) throw new Error(`${name} ${word} is not supported`)
  }
  if (url === undefined) throw new Error(`${command} has no URL`)
  const { pathname, search } = new URL(url)
  method ??= body === undefined ? 'GET' : 'POST'
  return {
    path: pathname + search,
    init: { method, headers, ...(body === undefined ? {} : { body }) },
  }
}

function answerOf({ language, text }: Block): Answer {
  if (language === 'json') return { headers: [], body: JSON.parse(text) }
  if (language === 'text') return { headers: [], body: text }
  const [head = '', body = ''] = text.split(/\n\n/, 2)
  const [first = '', ...lines] = head.split('\n')
  return {
    status: Number(first.split(' ')[1]),
    headers: lines.map((line) => line.split(/: (.*)/, 2) as [string, string]),
    body: JSON.parse(body),
  }
}

/** A real answer, reduced to the parts that the document shows. */
export async function answered(response: Response, said: Answer): Promise<Answer> {
  const { status } = response
  const text = await response.text()
  const isText = typeof said.body === 'string'
  return {
    ...(said.status === undefined ? {} : { status }),
    headers: said.headers.map(([name]) => [name, response.headers.get(name) ?? 'absent']),
    body: isText ? text : JSON.parse(text),
  }
}

/** A directory inside the repo, so that the package resolves by its name. */
export function createScratchDirectory(): { readonly path: string; [Symbol.dispose](): void } {
  const parent = join(root, '.throughline')
  mkdirSync(parent, { recursive: true })
  const path = mkdtempSync(join(parent, 'docs-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

export interface Ran {
  readonly status: number | string | null | undefined
  readonly stdout: string
  readonly stderr: string
}

const PATIENCE_MS = 60_000

/** The environment without the variables of the test runner. */
export const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:NODE_TEST_CONTEXT|FORCE_COLOR)$/.test(name)),
)

/** Runs Node.js to its end. */
export function run(cwd: string, ...args: readonly string[]): Promise<Ran> {
  const options = { cwd, env: environment, timeout: PATIENCE_MS }
  return new Promise((resolve) =>
    execFile(process.execPath, args, options, (error, stdout, stderr) =>
      resolve({ status: error ? (error.code ?? error.signal) : 0, stdout, stderr }),
    ),
  )
}

/** The target of a link, as a path from the root. */
export const targetOf = (document: string, target: string): string =>
  join(dirname(document), target).replaceAll('\\', '/')
