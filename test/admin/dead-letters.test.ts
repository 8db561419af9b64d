// Dead letters, the account and the audit trail over HTTP, with the memory backend.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { App } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { serve } from 'throughline/admin'
import { memory } from 'throughline/testing'
import type {
  Account,
  AuditEntry,
  DeadLetterCause,
  DeadLetterEntry,
  ListPage,
  ProblemView,
  RedrivePreview,
} from '../../src/admin/wire.ts'
import type { Outside } from '../control/failing-service.ts'
import { createOutside, startPost, writeLetters } from '../control/failing-service.ts'
import { runs } from '../extent.ts'

const IDS = ['bad-1', 'bad-1', 'bad-2', 'good', 'bad-3']
const WRITES = ['redrive', 'discard', 'edit', 'undo-edit']

let outside: Outside
let app: App
let served: AppServer
let token: string
const reported: unknown[] = []

before(async () => {
  outside = createOutside()
  app = await startPost(memory(), outside)
  served = await serve(app, { port: 0, onError: (_, cause) => reported.push(cause) })
  token = new URL(served.page).hash.replace('#token=', '')
  await writeLetters(app, IDS, 3)
})
after(async () => {
  await served.close()
  await app.stop()
})

const get = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${served.gateway}${path}`)).json()) as T
const count = async (): Promise<number> =>
  (await get<ListPage<DeadLetterEntry>>('/admin/dead')).items.length
function post(action: string, body: unknown, headers: object = {}): Promise<Response> {
  return fetch(`${served.gateway}/admin/dead/${action}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}
const problemOf = async (answer: Response): Promise<ProblemView> =>
  (await answer.json()) as ProblemView

test('lists dead letters, their causes, a preview, the account and the audit trail', async () => {
  const { items, next } = await get<ListPage<DeadLetterEntry>>('/admin/dead?limit=2')
  assert.equal(items.length, 2)
  const rest = await get<ListPage<DeadLetterEntry>>(
    `/admin/dead?after=${encodeURIComponent(next ?? '')}`,
  )
  assert.equal(rest.items.length, 1)
  const [cause] = await get<readonly DeadLetterCause[]>('/admin/dead/causes')
  assert.equal(cause?.count, 3)
  const preview = await get<RedrivePreview>(
    `/admin/dead/preview?cause=${cause?.cause ?? ''}&since=0`,
  )
  assert.deepEqual([preview.letters, preview.heldBehind], [3, 1])
  assert.equal((await get<Account>('/admin/account')).balances, true)
  assert.deepEqual(await get('/admin/audit'), { items: [] })
})

describe('a write', () => {
  test('without the token, or from another origin, is refused before its body is read', async () => {
    const evil = { origin: 'https://evil.example' }
    for (const action of WRITES) {
      assert.equal((await post(action, '{', { authorization: 'Bearer x' })).status, 401)
      assert.equal((await post(action, '{', evil)).status, 403)
      const get_ = await fetch(`${served.gateway}/admin/dead/${action}`)
      assert.equal(get_.status, 405)
    }
    assert.deepEqual(await get('/admin/audit'), { items: [] })
  })

  test('needs a name, and lists all issues at once', async () => {
    for (const [action, issues] of [
      ['redrive', ['by', 'all']],
      ['discard', ['by', 'reason', 'all']],
      ['edit', ['consumer', 'id', 'data', 'by']],
    ] as const) {
      const answer = await post(action, {})
      assert.equal(answer.status, 400)
      const { code, issues: found } = await problemOf(answer)
      assert.equal(code, 'OPTION_INVALID')
      assert.deepEqual(found.map(({ path }) => path).toSorted(), issues.toSorted())
    }
    const pause = await fetch(`${served.gateway}/admin/services/post/pause`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    })
    assert.deepEqual((await problemOf(pause)).issues, [{ path: 'by', message: 'is empty' }])
  })

  test('has a limited body', async () => {
    const body = { by: 'ada', key: 'x'.repeat(70_000) }
    assert.equal((await post('redrive', body)).status, 413)
    const data = JSON.stringify({ id: 'bad-2', note: '"'.repeat(400_000) })
    const edit = { by: 'ada', consumer: 'post/mail', id: 'x', data }
    assert.equal((await problemOf(await post('edit', edit))).code, 'MESSAGE_NOT_FOUND')
    assert.equal((await post('edit', { ...edit, data: 'x'.repeat(3_000_000) })).status, 413)
    assert.equal((await post('redrive', '[]')).status, 400)
    assert.equal((await post('redrive', '{}', { 'content-type': 'text/plain' })).status, 415)
  })

  test('edits, redrives and discards, and says who did it', async () => {
    const { items } = await get<ListPage<DeadLetterEntry>>('/admin/dead?key=bad-2')
    const id = items[0]?.event.id
    const place = { consumer: 'post/mail', id }
    const wrong = await post('edit', { by: 'ada', ...place, data: '{"note":1}' })
    assert.equal(wrong.status, 400)
    assert.partialDeepStrictEqual(await problemOf(wrong), { code: 'MESSAGE_INVALID' })
    const data = '{"id":"bad-2","note":"good"}'
    assert.equal((await post('edit', { by: 'ada', ...place, data })).status, 200)
    assert.equal((await post('undo-edit', place, { 'throughline-by': 'bob' })).status, 200)
    assert.equal((await post('edit', { by: 'ada', ...place, data })).status, 200)
    const redriven = await post('redrive', { by: 'ada', id })
    assert.deepEqual(await redriven.json(), { done: 1, skipped: 0 })
    const reason = { by: 'ada', reason: 'moved away' }
    assert.equal((await post('discard', { ...reason, key: 'bad-3' })).status, 200)
    assert.equal(await count(), 1)
    const audit = await get<ListPage<AuditEntry>>('/admin/audit?verb=dead-undo-edit')
    assert.deepEqual(
      audit.items.map(({ by, outcome }) => [by, outcome]),
      [['bob', 'done']],
    )
  })
})

test('any arguments are answered, and none with an unknown error', async () => {
  const names = ['consumer', 'id', 'key', 'type', 'cause', 'since', 'until', 'limit', 'after']
  const text = fc.oneof(
    fc.constantFrom('post/mail', 'bad-1', 'post.Written', '0', '{}', '[[[', '\ud800', 'a\0b'),
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.nat().map(String),
  )
  const reads = fc.record({
    path: fc.constantFrom('dead', 'dead/causes', 'dead/preview', 'audit', 'account'),
    query: fc.dictionary(fc.oneof(fc.constantFrom(...names, 'by', 'verb'), fc.string()), text),
  })
  const value: fc.Arbitrary<unknown> = fc.oneof(text, fc.boolean(), fc.integer(), fc.jsonValue())
  const given = [...names, 'all', 'perSecond', 'data', 'by', 'reason']
  const bodies = fc.dictionary(fc.constantFrom(...given), value)
  const actions = fc.constantFrom(...WRITES)
  const assertKnown = async (answer: Response, what: unknown): Promise<void> => {
    const body = (await answer.json()) as { code?: string }
    const seen = `${answer.status} ${JSON.stringify([body, what, reported.map(String)])}`
    assert.ok(answer.status < 500, seen)
    if (answer.status >= 400) assert.equal(typeof body.code, 'string', seen)
  }
  await fc.assert(
    fc.asyncProperty(reads, actions, bodies, async ({ path, query }, action, body) => {
      const asked = new URLSearchParams(query)
      await assertKnown(await fetch(`${served.gateway}/admin/${path}?${asked.toString()}`), query)
      await assertKnown(await post(action, body), body)
    }),
    { numRuns: runs(200) },
  )
  assert.deepEqual(reported, [])
})
