import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { problem } from '../http/problem.ts'
import { respond } from '../http/response.ts'
import type { HttpRoute } from '../http/routes.ts'

/** The output of the page's build; the path is the same in the repo and in the package. */
const BUILD_DIRECTORY = new URL('../../dist/page/', import.meta.url)

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
}

/** No foreign resources, no frames, no inline scripts. */
const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; '),
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** The routes of the page. Its files are read once. */
export function pageRoutes(): readonly HttpRoute[] {
  const files = readFiles()
  const answer = (name: string): Response => {
    const file = files.get(name)
    return file ? respond(200, file.headers, file.bytes) : fileMissing(files.size > 0)
  }
  // A temporary redirect without caching: another program may use this port later.
  const headers = { location: '/page/', 'cache-control': 'no-store' }
  const toPage = async (): Promise<Response> => respond(307, headers, '')
  return [
    { method: 'GET', path: '/', run: toPage },
    { method: 'GET', path: '/page', run: toPage },
    {
      method: 'GET',
      path: '/page/*',
      run: async ({ params }) => answer(params['*'] === '' ? 'index.html' : (params['*'] ?? '')),
    },
  ]
}

function fileMissing(isBuilt: boolean): Response {
  const detail = isBuilt ? 'the page has no such file' : 'the page is not built: run npm run page'
  return problem('NOT_FOUND', { detail })
}

interface PageFile {
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array<ArrayBuffer>
}

function readFiles(): ReadonlyMap<string, PageFile> {
  const root = fileURLToPath(BUILD_DIRECTORY)
  const files = new Map<string, PageFile>()
  for (const name of listFiles(root)) {
    const type = TYPES[name.split('.').at(-1) ?? '']
    if (type === undefined) continue
    // The names of assets contain a hash of their content.
    const isForEver = name.startsWith('assets/')
    const cache = isForEver ? 'public, max-age=31536000, immutable' : 'no-cache'
    files.set(name, {
      headers: { 'content-type': type, 'cache-control': cache, ...SECURITY_HEADERS },
      bytes: readFileSync(new URL(name, BUILD_DIRECTORY)),
    })
  }
  return files
}

function listFiles(root: string): readonly string[] {
  try {
    return readdirSync(root, { recursive: true }).map((name) => String(name).replaceAll('\\', '/'))
  } catch {
    return []
  }
}
