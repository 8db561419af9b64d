import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { manualClock } from '../../src/testing/clock.ts'
import type { StreamEvent } from '../../src/http/stream.ts'
import { eventStream } from '../../src/http/stream.ts'

async function* list(...events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events
}

/** A source of events that never sends one. */
function silence(): AsyncIterable<StreamEvent> & { isReturned: boolean } {
  const silent = {
    isReturned: false,
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => undefined),
      return: async () => {
        silent.isReturned = true
        return { done: true as const, value: undefined }
      },
    }),
  }
  return silent
}

async function all(body: unknown): Promise<string> {
  let text = ''
  for await (const each of body as AsyncIterable<string>) text += each
  return text
}

describe('a stream of events', () => {
  const clock = manualClock()
  const { signal } = new AbortController()

  test('is text that ends when the events do', async () => {
    const events = list({ event: 'a\nb', id: '1', data: { text: 'two\nlines' } }, { data: null })
    const { headers, body } = eventStream(events, { clock, signal })
    assert.equal(headers['content-type'], 'text/event-stream')
    const text = ': open\n\nevent: a b\nid: 1\ndata: {"text":"two\\nlines"}\n\ndata: null\n\n'
    assert.equal(await all(body), text)
  })

  test('sends heartbeats while nothing happens, and ends when its time is up', async () => {
    const silent = silence()
    const options = { clock, signal, heartbeatMs: 1_000, lifetimeMs: 3_500 }
    const begunAt = clock.elapsed()
    const text = await clock.until(all(eventStream(silent, options).body))
    assert.equal(text, `: open\n\n${': \n\n'.repeat(4)}`)
    assert.equal(clock.elapsed() - begunAt, 3_500)
    assert.ok(silent.isReturned)
  })

  test('ends when its client disconnects, even if its events never come', async () => {
    const silent = silence()
    const gone = new AbortController()
    const text = all(eventStream(silent, { clock, signal: gone.signal }).body)
    gone.abort()
    assert.equal(await text, ': open\n\n')
    assert.ok(silent.isReturned)
  })

  test('passes on an error of its events', async () => {
    // oxlint-disable-next-line require-yield
    const broken = (async function* (): AsyncGenerator<StreamEvent> {
      throw new Error('broke')
    })()
    await assert.rejects(all(eventStream(broken, { clock, signal }).body), /broke/)
  })
})
