// Random requests to the operator API: each is answered quickly, with a documented status, and none
// changes anything without the token. The checks find what is planted.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HttpHandler } from 'throughline/gateway'
import { fastTempDirectory } from '../crash/support/child-process.ts'
import { runs } from '../extent.ts'
import type { Defect } from './admin-scenario.ts'
import type { AdminFuzzOptions } from './fuzz-admin.ts'
import { fuzzAdmin } from './fuzz-admin.ts'

describe('random requests to the operator API', () => {
  test('cause no error, and reach each path', async (t) => {
    const directory = await fastTempDirectory(t)
    // The limit of one second is for `npm run fuzz:admin`, which has the machine for itself.
    const run = { seed: 1, requests: runs(4_000), directory, slowMs: 10_000 }
    const report = await fuzzAdmin(run)
    assert.deepEqual([report.findings, report.faults], [[], []])
    for (const [path, statuses] of Object.entries(report.answered)) {
      const hasSucceeded = Object.keys(statuses).some((status) => /^[23]/.test(status))
      assert.ok(hasSucceeded || path === '/page/*', `${path} never succeeded`)
    }
    for (const action of ['redrive', 'discard', 'edit', 'undo-edit'])
      assert.ok(report.answered[`/admin/dead/${action}`]?.['401'], action)
    assert.ok(report.writes > 50, `only ${report.writes} writes`)
  })
})

const onPath =
  (path: string, answer: (request: Request) => Promise<Response | undefined>): HttpHandler =>
  async (request) =>
    new URL(request.url).pathname.startsWith(path) ? answer(request) : undefined
const hasToken = ({ headers }: Request): boolean =>
  headers.get('authorization')?.endsWith('a-token') === true
const problemWith = (members: object): string =>
  JSON.stringify({
    type: 'urn:throughline:problem:OPTION_INVALID',
    title: '',
    status: 400,
    detail: '',
    code: 'OPTION_INVALID',
    issues: [],
    ids: {},
    ...members,
  })
const refusal = (members: object): Response => {
  const headers = { 'content-type': 'application/problem+json' }
  return new Response(problemWith(members), { status: 400, headers })
}

const DEFECTS: Readonly<
  Record<string, readonly [found: RegExp, plant: Defect, options?: Partial<AdminFuzzOptions>]>
> = {
  'a server error': [
    /^server error: 500 broken/,
    () => onPath('/admin/find', async () => new Response('broken', { status: 500 })),
  ],
  'an error that is no problem': [
    /^an error that is no problem: 400 no/,
    () => onPath('/admin/find', async () => new Response('no', { status: 400 })),
  ],
  'a problem without a code': [
    /^a problem without a code/,
    () => onPath('/admin/find', async () => refusal({ code: 'NONE' })),
  ],
  'a stack in a problem': [
    /^a stack/,
    () => onPath('/admin/find', async () => refusal({ detail: String(new Error('a').stack) })),
  ],
  'a status that is not documented': [
    /^status not documented: 404/,
    () => onPath('/admin/overview', async () => problemAt404()),
  ],
  'a dropped connection': [
    /^no answer/,
    () =>
      onPath('/admin/find', async () => {
        const body = new ReadableStream({ pull: (it) => it.error(new Error('gone')) })
        return new Response(body)
      }),
  ],
  'a write that is answered as done without the token': [
    /^written without the token: 200/,
    () => onPath('/admin/dead/edit', async () => new Response('{}')),
  ],
  'a write that is refused without the token, and done all the same': [
    /^changed without the token: .*"teller"/,
    (app) =>
      onPath('/admin/services/teller/pause', async (request) => {
        if (request.method === 'POST' && !hasToken(request)) await app.pause('teller')
        return undefined
      }),
  ],
  'a discard without the token': [
    /^changed without the token/,
    (app) =>
      onPath('/admin/dead/discard', async (request) => {
        const by = { by: 'nobody', reason: 'none', key: 'bad-3' }
        if (!hasToken(request)) await app.deadLetters.discard(by)
        return undefined
      }),
  ],
  'a slow answer': [
    /^took \d{3} ms: GET \/admin\/alive/,
    () =>
      onPath('/admin/alive', async ({ method }) => {
        if (method === 'GET') blockThread(250)
        return undefined
      }),
    { requests: 40, slowMs: 200 },
  ],
  'memory that is never freed': [
    /^the heap has grown by/,
    () => {
      const kept: Buffer[] = []
      return async () => void kept.push(Buffer.alloc(500_000))
    },
  ],
}

function blockThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function problemAt404(): Response {
  const body = problemWith({ status: 404 })
  return new Response(body, {
    status: 404,
    headers: { 'content-type': 'application/problem+json' },
  })
}

describe('the checks find', () => {
  for (const [name, [found, plant, options]] of Object.entries(DEFECTS))
    test(name, async (t) => {
      const directory = await fastTempDirectory(t)
      const run = { seed: 1, requests: 600, block: 200, directory, plant, ...options }
      const { findings } = await fuzzAdmin(run)
      assert.ok(
        findings.some((finding) => found.test(finding)),
        JSON.stringify(findings.slice(0, 5)),
      )
    })
})
