import assert from 'node:assert/strict'
import type { EventLog, LogEvent } from '../event-log.ts'
import type { LogCase } from './fixtures.ts'
import { ORDERS, PAYMENTS, appendStored, declareTopics, idsOf, reopenTrial } from './fixtures.ts'
import { keyInPartition, testEvent } from './fixtures.ts'

/** A message of a conversation; the first one has its id as its correlation. */
function messageOf(correlation: string, id: string, fields: Partial<LogEvent> = {}): LogEvent {
  const head = JSON.stringify({ source: 'shop', correlation, hops: id === correlation ? 0 : 1 })
  return testEvent(id, { head, ...fields })
}

const ANY_TEXT = 'it"s\\ \u00e9 \u{1f600}\n'

/** Messages of several conversations by turns, over two topics and all partitions. */
function mixed(names: readonly string[], count: number): readonly LogEvent[] {
  return Array.from({ length: count }, (_, at) => {
    const name = names[at % names.length] as string
    const id = at < names.length ? name : `${name} ${at}`
    const topic = at % 3 === 0 ? PAYMENTS : ORDERS
    return messageOf(name, id, { topic, key: keyInPartition(at % 4), partition: at % 4 })
  })
}

/** The ids of a conversation, read in pages. */
async function pagesOf(log: EventLog, name: string, limit: number): Promise<readonly string[]> {
  const ids: string[] = []
  let after: number | undefined
  for (let pages = 0; pages < 3_000; pages += 1) {
    const page = await log.conversation?.(name, limit, after)
    assert.ok(page && page.length <= limit, 'a page ends at the limit')
    ids.push(...idsOf(page))
    if (page.length < limit) return ids
    after = page.at(-1)?.position
  }
  throw new assert.AssertionError({ message: 'pages come to an end' })
}

const conversationCase = (promise: string, run: LogCase['run']): LogCase => ({
  promise,
  needs: ({ log }) => log?.findByConversation === true,
  otherwise: async ({ backend }) => assert.equal(backend.log.conversation, undefined),
  run,
})

/** Finding the messages of a conversation. */
export const conversationCases: readonly LogCase[] = [
  conversationCase(
    'A conversation is its first message and all with its correlation, in the order of the log',
    async ({ backend }) => {
      const log = await declareTopics(backend)
      const names = ['one', 'two', ANY_TEXT, '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b']
      const events = mixed(names, 60)
      for (const event of events) await appendStored(log, [event])
      for (const name of names) {
        const expected = events.filter(({ id }) => id.startsWith(name)).map(({ id }) => id)
        assert.deepEqual(await pagesOf(log, name, 100), expected)
        const found = (await log.conversation?.(name, 100)) ?? []
        assert.deepEqual(
          found.map(({ topic, key, head, data }) => ({ topic, key, head, data })),
          events
            .filter(({ id }) => id.startsWith(name))
            .map(({ topic, key, head, data }) => ({ topic, key, head, data })),
        )
      }
      for (const none of ['', 'three', 'on', '\ud800'])
        assert.deepEqual(await log.conversation?.(none, 9), [])
      assert.deepEqual(await pagesOf(log, 'one 4', 9), ['one 4'], 'it is the first of its own')
    },
  ),
  conversationCase(
    'A conversation is read in pages, also one of thousands of messages',
    async ({ backend }) => {
      const log = await declareTopics(backend)
      const events = mixed(['one', 'two', 'three'], 3_600)
      for (let at = 0; at < events.length; at += 700)
        await appendStored(log, events.slice(at, at + 700))
      const positions = new Map<string, number>()
      for (const record of (await log.conversation?.('two', 10_000)) ?? [])
        positions.set(record.id, record.position ?? 0)
      const ids = [...positions].toSorted(([, a], [, b]) => a - b).map(([id]) => id)
      assert.equal(ids.length, 1_200)
      assert.deepEqual(ids.toSorted(), idsOf(events.filter((_, at) => at % 3 === 1)).toSorted())
      for (const limit of [7, 500, 1_200]) assert.deepEqual(await pagesOf(log, 'two', limit), ids)
      await appendStored(log, [messageOf('two', 'the last')])
      assert.deepEqual(await pagesOf(log, 'two', 500), [...ids, 'the last'])
    },
  ),
  conversationCase(
    'Trimmed and compacted messages are no longer found in their conversation',
    async ({ backend }) => {
      const log = await declareTopics(backend)
      const place = { partition: 0, key: keyInPartition(0) }
      const ids = ['one', 'b', 'c', 'd', 'e']
      await appendStored(
        log,
        ids.map((id) => messageOf('one', id, place)),
      )
      await log.trim(ORDERS, 0, 2)
      assert.deepEqual(await pagesOf(log, 'one', 2), ['c', 'd', 'e'])
      await log.compact(ORDERS, 0, 4, 0)
      assert.deepEqual(await pagesOf(log, 'one', 2), ['e'])
    },
  ),
  {
    promise: 'A conversation is found by the next instance, and continues',
    needs: ({ log }) => log?.findByConversation === true && log.ack !== 'memory',
    async run(trial) {
      const log = await declareTopics(trial.backend)
      const events = mixed(['one', 'two'], 1_300)
      await appendStored(log, events)
      const before = await pagesOf(log, 'one', 10_000)
      assert.equal(before.length, 650)
      const next = await reopenTrial(trial)
      assert.deepEqual(await pagesOf(next.log, 'one', 10_000), before)
      await appendStored(next.log, [messageOf('one', 'the last')])
      assert.deepEqual(await pagesOf(next.log, 'one', 10_000), [...before, 'the last'])
    },
  },
]
