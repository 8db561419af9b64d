import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createManualClock } from '../../src/testing/manual-clock.ts'
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

describe('a stream of events', () => {
  const clock = createManualClock()
  const { signal } = new AbortController()

  test('is text that ends when the events do', async () => {
    const events = list({ event: 'a\nb', id: '1', data: { text: 'two\nlines' } }, { data: null })
    const response = eventStream(events, { clock, signal })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const text = ': open\n\nevent: a b\nid: 1\ndata: {"text":"two\\nlines"}\n\ndata: null\n\n'
    assert.equal(await response.text(), text)
  })

  test('sends heartbeats while nothing happens, and ends when its time is up', async () => {
    const silent = silence()
    const options = { clock, signal, heartbeatMs: 1_000, lifetimeMs: 3_500 }
    const begunAt = clock.elapsed()
    const text = await clock.until(eventStream(silent, options).text())
    assert.equal(text, `: open\n\n${': \n\n'.repeat(4)}`)
    assert.equal(clock.elapsed() - begunAt, 3_500)
    assert.ok(silent.isReturned)
  })

  test('ends when its client disconnects, even if its events never come', async () => {
    const silent = silence()
    const gone = new AbortController()
    const text = eventStream(silent, { clock, signal: gone.signal }).text()
    gone.abort()
    assert.equal(await text, ': open\n\n')
    assert.ok(silent.isReturned)
  })

  test('passes on an error of its events', async () => {
    // oxlint-disable-next-line require-yield
    const broken = (async function* (): AsyncGenerator<StreamEvent> {
      throw new Error('broke')
    })()
    await assert.rejects(eventStream(broken, { clock, signal }).text(), /broke/)
  })
})
