import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../base/time/clock.ts'
import type { HttpHandler } from './handler.ts'
import { fetchHandler } from './handler.ts'
import { readJson } from './json.ts'
import { json } from './response.ts'
import type { StreamEvent } from './stream.ts'
import { eventStream } from './stream.ts'

describe('a handler for Request and Response', () => {
  test('passes the request to the handler and returns its answer', async () => {
    const handler: HttpHandler = async (request) => {
      const body = await readJson(request, 100)
      if (body.status === 'refused') return body.answer
      const { pathname: path, searchParams } = new URL(request.url)
      const { method, headers } = request
      const value = body.status === 'read' ? body.value : undefined
      return json(201, { method, path, a: searchParams.get('a'), x: headers.get('x'), value })
    }
    const ask = fetchHandler(handler)
    const headers = { 'content-type': 'application/json', x: '1' }
    const init = { method: 'POST', headers, body: '{"b":2}' }
    const answer = await ask(new Request('http://x/p%20q?a=1', init))
    assert.equal(answer.status, 201)
    const expected = { method: 'POST', path: '/p%20q', a: '1', x: '1', value: { b: 2 } }
    assert.deepEqual(await answer.json(), expected)
    const large = new Request('http://x/', { ...init, body: `"${'x'.repeat(100)}"` })
    assert.equal((await ask(large)).status, 413)
  })

  test('answers with a problem if no handler answers, or if one throws', async () => {
    const none = await fetchHandler(async () => undefined)(new Request('http://x/none'))
    assert.equal(((await none.json()) as { code: string }).code, 'NOT_FOUND')
    const reported: unknown[] = []
    const broken = fetchHandler(() => Promise.reject(new Error('broke')), {
      onError: (_, cause) => reported.push(cause),
    })
    assert.equal((await broken(new Request('http://x/'))).status, 500)
    assert.equal(reported.length, 1)
  })

  test('streams with back-pressure, and ends the source when the reader cancels', async () => {
    let isEnded = false
    let yielded = 0
    const source = async function* (): AsyncGenerator<StreamEvent> {
      try {
        for (;;) yield { data: (yielded += 1) }
      } finally {
        isEnded = true
      }
    }
    const handler: HttpHandler = async ({ signal }) =>
      eventStream(source(), { clock: systemClock(), signal })
    const answer = await fetchHandler(handler)(new Request('http://x/'))
    const reader = answer.body?.getReader()
    for (const text of [': open\n\n', 'data: 1\n\n']) {
      const { value } = (await reader?.read()) ?? {}
      assert.equal(new TextDecoder().decode(value), text)
    }
    await reader?.cancel()
    await new Promise(setImmediate)
    assert.ok(isEnded)
    assert.ok(yielded < 5, `${yielded} events were pulled for one that was read`)
  })
})
