import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { systemClock } from '../base/time/clock.ts'
import { readJson } from './json.ts'
import type { HttpHandler } from './handler.ts'
import type { ListenOptions } from './listen.ts'
import { listen } from './listen.ts'
import { json } from './response.ts'
import type { StreamEvent } from './stream.ts'
import { eventStream } from './stream.ts'

/** A promise that a test resolves with `open`. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

const serve = (handler: HttpHandler, options: Partial<ListenOptions> = {}) =>
  listen([handler], { port: 0, ...options })

describe('a server whose clients disconnect, or send what is not HTTP,', () => {
  test('does not wait for a client that disconnected before it had read its answer', async () => {
    await using server = await serve(async () => new Response('x'.repeat(50_000_000)))
    const socket = connect(server.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await once(socket, 'data')
    socket.destroy()
    const begunAt = performance.now()
    await server.close()
    assert.ok(performance.now() - begunAt < 5_000)
  })

  test('does not wait for a client that disconnected before its handler has answered', async () => {
    const asked = gate()
    const left = gate()
    const handler: HttpHandler = async () => {
      asked.open()
      await left.opened
      return json(200, 1)
    }
    await using server = await serve(handler)
    const socket = connect(server.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
    await asked.opened
    socket.destroy()
    await once(socket, 'close')
    left.open()
    const begunAt = performance.now()
    await server.close()
    assert.ok(performance.now() - begunAt < 5_000)
  })

  test('reports no error if a client leaves with answers in its pipeline', async () => {
    const reported: unknown[] = []
    const asked = gate()
    let count = 0
    const events = async function* (signal: AbortSignal): AsyncGenerator<StreamEvent> {
      yield { data: 1 }
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const handler: HttpHandler = async ({ signal }) => {
      count += 1
      if (count === 3) asked.open()
      return eventStream(events(signal), { clock: systemClock(), signal })
    }
    await using server = await serve(handler, { onError: (_, cause) => reported.push(cause) })
    const socket = connect(server.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(3))
    await asked.opened
    socket.destroy()
    await server.close()
    assert.deepEqual(reported, [])
  })

  test('sends no problem into a response that is being sent', async () => {
    const ending = gate()
    const events = async function* (): AsyncGenerator<StreamEvent> {
      yield { data: 1 }
      await ending.opened
      yield { data: 2 }
    }
    await using server = await serve(async ({ signal }) =>
      eventStream(events(), { clock: systemClock(), signal }),
    )
    const socket = connect(server.port, '127.0.0.1').setEncoding('utf8')
    let received = ''
    socket.on('data', (text: string) => (received += text))
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\nno HTTP at all\r\n\r\n')
    await once(socket, 'data')
    ending.open()
    await once(socket, 'close')
    assert.match(received, /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n[^]*data: 2/)
    assert.doesNotMatch(received, /HTTP\/1\.1 400/)
  })

  test('reports no error if a client disconnects before its request has arrived', async () => {
    const reported: unknown[] = []
    const read = gate()
    const left = gate()
    const handler: HttpHandler = async (request) => {
      read.open()
      const body = await readJson(request)
      left.open()
      return body.status === 'refused' ? body.answer : json(200, 1)
    }
    await using server = await serve(handler, { onError: (_, cause) => reported.push(cause) })
    const socket = connect(server.port, '127.0.0.1')
    const type = 'content-type: application/json'
    socket.write(`POST / HTTP/1.1\r\nhost: localhost\r\n${type}\r\ncontent-length: 9\r\n\r\n{`)
    await read.opened
    socket.destroy()
    await left.opened
    await server.close()
    assert.deepEqual(reported, [])
  })
})
