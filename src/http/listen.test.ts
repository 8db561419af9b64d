import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as ask } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { systemClock } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { readJson } from './json.ts'
import type { HttpHandler } from './handler.ts'
import type { Listening, ListenOptions } from './listen.ts'
import { listen } from './listen.ts'
import { json } from './response.ts'
import { routes } from './routes.ts'
import type { StreamEvent } from './stream.ts'
import { eventStream } from './stream.ts'

/** A promise that a test resolves with `open`. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

const echo = routes([
  {
    method: 'POST',
    path: '/echo',
    run: async ({ request }) => {
      const body = await readJson(request, 1_000)
      return body.status === 'refused'
        ? body.answer
        : json(200, body.status === 'read' ? body.value : null)
    },
  },
  {
    method: 'GET',
    path: '/query',
    run: async ({ url, request }) =>
      json(200, [url.searchParams.getAll('a'), request.headers.get('x-one')]),
  },
  { method: 'GET', path: '/broken', run: () => Promise.reject(new Error('a secret')) },
])

const serve = (handler: HttpHandler = echo, options: Partial<ListenOptions> = {}) =>
  listen([handler], { port: 0, ...options })

async function codeOf(answer: Response): Promise<string> {
  assert.equal(answer.headers.get('content-type'), 'application/problem+json')
  return `${answer.status} ${((await answer.json()) as { code: string }).code}`
}

/** Sends raw bytes, which need not be HTTP, and returns the answer. */
async function raw(server: Listening, bytes: string): Promise<string> {
  const socket = connect(server.port, '127.0.0.1')
  socket.end(bytes)
  return text(socket)
}

describe('a server', () => {
  test('treats an empty body as absent, with a length or chunked, whatever its content type', async () => {
    await using server = await serve()
    const head = 'POST /echo HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n'
    for (const type of ['', 'content-type: application/json\r\n'])
      for (const how of ['', 'content-length: 0\r\n', 'transfer-encoding: chunked\r\n']) {
        const end = how.startsWith('t') ? '0\r\n\r\n' : ''
        assert.match(await raw(server, `${head}${type}${how}\r\n${end}`), /^HTTP\/1.1 200 .*null$/s)
      }
    for (const [type, body, status] of [
      [';;;', '', 200],
      ['nonsense', '', 200],
      ['nonsense', '{}', 415],
      ['application/json, text/plain', '{}', 415],
    ] as const) {
      const init = `content-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      const answer = await raw(server, `${head}${init}`)
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), type)
      assert.doesNotMatch(answer, /FST_/)
    }
    const chunk = 'transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'
    assert.match(await raw(server, `${head}${chunk}`), /^HTTP\/1.1 415 /)
  })

  test('passes methods, query strings, headers and bodies to handlers, and returns their answers', async () => {
    await using server = await serve()
    assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    const headers = { 'content-type': 'application/json', 'x-one': '1' }
    const body = JSON.stringify({ ä: 'x'.repeat(500) })
    const posted = await fetch(`${server.url}/echo`, { method: 'POST', headers, body })
    assert.equal(await posted.text(), body)
    const asked = await fetch(`${server.url}/query?a=1&a=%C3%A4&b`, { headers })
    assert.deepEqual(await asked.json(), [['1', 'ä'], '1'])
  })

  test('answers with a problem if a path is unknown, a handler throws, or a body is too large', async () => {
    const reported: unknown[] = []
    await using server = await serve(echo, { onError: (_, cause) => reported.push(cause) })
    assert.equal(await codeOf(await fetch(`${server.url}/none`)), '404 NOT_FOUND')
    assert.equal(await codeOf(await fetch(`${server.url}/%zz`)), '400 REQUEST_INVALID')
    const broken = await fetch(`${server.url}/broken`)
    assert.doesNotMatch(JSON.stringify([...broken.headers]), /secret/)
    assert.equal(await codeOf(broken), '500 INTERNAL')
    assert.equal((reported[0] as Error).message, 'a secret')
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const large = await fetch(`${server.url}/echo`, { ...init, body: `"${'x'.repeat(100_000)}"` })
    assert.equal(await codeOf(large), '413 BODY_TOO_LARGE')
    const odd = await fetch(`${server.url}/echo`, { method: 'PROPFIND' })
    assert.equal(await codeOf(odd), '405 METHOD_NOT_ALLOWED')
  })

  test('limits a body without a content length', async () => {
    await using server = await serve()
    const chunks = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('"'.padEnd(600, ' '))),
    })
    const sent = ask(`${server.url}/echo`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    })
    sent.on('error', () => undefined)
    let isAnswered = false
    const answered = once(sent, 'response').finally(() => (isAnswered = true))
    for await (const chunk of chunks) {
      sent.write(chunk)
      if (sent.destroyed || isAnswered) break
      await new Promise(setImmediate)
    }
    const [answer] = (await answered) as [IncomingMessage]
    assert.equal(answer.statusCode, 413)
    sent.destroy()
  })

  test('answers a request with an expectation that nobody knows, and not with an empty 417', async () => {
    await using server = await serve()
    const head = 'GET /query?a=1 HTTP/1.1\r\nHost: localhost\r\n'
    assert.match(await raw(server, `${head}Expect: nonsense\r\n\r\n`), /^HTTP\/1\.1 200 .*\["1"\]/s)
  })

  test('answers invalid HTTP with a problem, and keeps serving', async () => {
    await using server = await serve()
    const bad = await raw(server, 'SECRET nonsense\r\n\r\n')
    assert.match(bad, /^HTTP\/1\.1 400 Bad Request\r\n/)
    assert.match(bad, /application\/problem\+json/)
    assert.match(bad, /"code":"REQUEST_INVALID"/)
    assert.doesNotMatch(bad, /SECRET/)
    const long = `GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`
    assert.match(await raw(server, long), /^HTTP\/1\.1 431 .*"HEADERS_TOO_LARGE"/s)
    assert.equal((await fetch(`${server.url}/query`)).status, 200)
  })

  test('refuses a request whose host and path do not form a valid URL', async () => {
    await using server = await serve()
    const ask = (target: string, host = 'localhost') =>
      raw(server, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    for (const target of ['/query', '/x/../query', '/x/%2e%2e/query', 'http://localhost/query'])
      assert.match(await ask(target), /^HTTP\/1\.1 200 /, target)
    for (const target of ['/%ff', '/%', '/query/%zz'])
      assert.match(await ask(target), /^HTTP\/1\.1 400 .*REQUEST_INVALID/s, target)
    for (const target of ['*', '//localhost/query', '/'])
      assert.match(await ask(target), /^HTTP\/1\.1 404 /, target)
    assert.match(await ask('/query', 'localhost:99999'), /^HTTP\/1\.1 400 .*REQUEST_INVALID/s)
  })

  test('refuses requests with two different values of Host or Content-Type', async () => {
    await using server = await serve()
    const host = 'host: localhost\r\n'
    const twice = await raw(server, `GET /query HTTP/1.1\r\n${host}host: evil.example\r\n\r\n`)
    assert.match(twice, /^HTTP\/1\.1 421 /)
    const types = 'content-type: application/json\r\ncontent-type: text/plain\r\n'
    const posted = `POST /echo HTTP/1.1\r\n${host}${types}content-length: 2\r\n\r\n{}`
    assert.match(await raw(server, posted), /^HTTP\/1\.1 415 /)
  })

  test('discards an unread body, and answers the next request', async () => {
    await using server = await serve()
    const host = 'host: localhost\r\n'
    const body = 'x'.repeat(300_000)
    const type = 'content-type: text/plain\r\n'
    const next = `GET /query HTTP/1.1\r\n${host}connection: close\r\n\r\n`
    for (const [path, status] of [
      ['/query', 405],
      ['/echo', 415],
    ] as const) {
      const head = `POST ${path} HTTP/1.1\r\n${host}${type}content-length: ${body.length}\r\n\r\n`
      const answers = await raw(server, `${head}${body}${next}`)
      assert.match(answers, new RegExp(`^HTTP/1.1 ${status} .*HTTP/1.1 200 `, 's'))
    }
  })

  test('sends a plain Response, and handlers can read the Request with its own methods', async () => {
    const native: HttpHandler = async (request) => {
      const sent = (await request.clone().json()) as unknown
      return new Response(JSON.stringify([sent, await request.text()]), { status: 201 })
    }
    await using server = await serve(native)
    const answer = await fetch(server.url, { method: 'POST', body: '{"a":1}' })
    assert.deepEqual([answer.status, await answer.json()], [201, [{ a: 1 }, '{"a":1}']])
  })

  test('closes the connection of a stream that throws, and reports the error', async () => {
    const reported: unknown[] = []
    const cause = new Error('broke')
    const events = async function* (): AsyncGenerator<StreamEvent> {
      yield { data: 1 }
      throw cause
    }
    const handler: HttpHandler = async ({ signal }) =>
      eventStream(events(), { clock: systemClock(), signal })
    await using server = await serve(handler, { onError: (_, each) => reported.push(each) })
    await assert.rejects(fetch(server.url).then((answer) => answer.text()))
    await server.close()
    assert.deepEqual(reported, [cause])
  })

  test('does not listen on a non-loopback host without a token', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org'])
      await assert.rejects(
        serve(echo, { host }),
        (fault: Fault) => fault.code === 'OPTION_INVALID' && fault.issues[0]?.path === 'host',
      )
    await assert.rejects(serve(echo, { token: '' }), { code: 'OPTION_INVALID' })
    await assert.rejects(serve(echo, { port: -1 }), { code: 'OPTION_INVALID' })
    await using server = await serve(echo, { host: '0.0.0.0', token: 't0ken' })
    assert.ok(server.port > 0)
  })

  test('names the port that is in use', async () => {
    await using server = await serve()
    await assert.rejects(serve(echo, { port: server.port }), (fault: Fault) => {
      assert.ok(fault instanceof Fault)
      assert.match(fault.message, new RegExp(`127\\.0\\.0\\.1:${server.port}`))
      return fault.code === 'PORT_BUSY'
    })
  })

  test('refuses a Host header that does not name this machine', async () => {
    await using server = await serve()
    const by = (host: string) => raw(server, `GET /query HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', ''])
      assert.match(await by(host), /^HTTP\/1\.1 421 .*HOST_REFUSED/s, host)
    assert.match(await raw(server, 'GET /query HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 421 /)
    for (const host of ['localhost', `LOCALHOST:${server.port}`, '127.0.0.1:1', '[::1]:80'])
      assert.match(await by(host), /^HTTP\/1\.1 200 /, host)
  })

  test('refuses requests without its token', async () => {
    await using server = await serve(echo, { token: 't0ken' })
    const by = (authorization?: string) =>
      fetch(`${server.url}/query`, authorization ? { headers: { authorization } } : {})
    for (const wrong of [undefined, 'Bearer', 'Bearer t0ke', 'Bearer t0kenn', 'Basic t0ken']) {
      const answer = await by(wrong)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
      assert.equal(await codeOf(answer), '401 UNAUTHORIZED')
    }
    assert.equal((await by('Bearer t0ken')).status, 200)
    assert.equal((await by('bearer t0ken')).status, 200)
  })
})

describe('a server that closes', () => {
  test('finishes requests in flight, and answers new ones with 503', async () => {
    const begun = gate()
    const goOn = gate()
    const slow: HttpHandler = async (request) => {
      if (!request.url.endsWith('/slow')) return json(200, 'quick')
      begun.open()
      await goOn.opened
      return json(200, 'done')
    }
    const server = await serve(slow)
    const answer = fetch(`${server.url}/slow`)
    await begun.opened
    const closed = server.close()
    const late = await fetch(server.url)
    assert.equal(late.headers.get('retry-after'), '1')
    assert.equal(await codeOf(late), '503 APP_STOPPING')
    goOn.open()
    assert.deepEqual(await (await answer).json(), 'done')
    await closed
    await assert.rejects(fetch(server.url))
    await server.close()
  })

  test('closes the connections of unfinished requests after the grace period', async () => {
    const begun = gate()
    const server = await serve(async () => {
      begun.open()
      await new Promise(() => undefined)
      return undefined
    })
    const answer = fetch(server.url)
    answer.catch(() => undefined)
    await begun.opened
    await server.close({ graceMs: 50 })
    await assert.rejects(answer)
  })

  test('ends event streams, whose number is limited', async () => {
    const silence = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => undefined) }),
    }
    const server = await serve(
      async ({ signal }) => eventStream(silence, { clock: systemClock(), signal }),
      { streamsMax: 2 },
    )
    const first = await fetch(server.url)
    const second = await fetch(server.url)
    assert.equal(await codeOf(await fetch(server.url)), '503 STREAMS_EXHAUSTED')
    await first.body?.cancel()
    // A client that disconnects frees its place, as soon as the server notices.
    let third = await fetch(server.url)
    while (third.status === 503) {
      await third.body?.cancel()
      third = await fetch(server.url)
    }
    const ended = Promise.all([second.text(), third.text()])
    await server.close()
    assert.deepEqual(await ended, [': open\n\n', ': open\n\n'])
  })
})
