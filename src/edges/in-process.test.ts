import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Fault } from '../base/errors/fault.ts'
import type { InProcessBroker } from './in-process.ts'
import { inProcess } from './in-process.ts'
import type { DeliveryBatch } from './transport.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const textsOf = ({ deliveries }: DeliveryBatch): string[] =>
  deliveries.map(({ body }) => text(body))

const never = new AbortController().signal

/** Receives one batch of up to `messages`. */
const receive = (
  broker: InProcessBroker,
  { group = 'g', topics = ['t'], messages = 100, bytes = 1_000, signal = never } = {},
): Promise<DeliveryBatch> => broker.receive({ group, topics, limits: { messages, bytes }, signal })

async function publishAll(broker: InProcessBroker, ...bodies: readonly string[]): Promise<void> {
  for (const body of bodies) await broker.publish('t', body)
}

suite('the in-process broker', () => {
  test('gives every group the messages of a topic in order, once they are acknowledged', async () => {
    const broker = inProcess()
    await publishAll(broker, 'a', 'b', 'c')
    for (const group of ['first', 'second']) {
      const one = await receive(broker, { group, messages: 2 })
      assert.deepEqual(textsOf(one), ['a', 'b'])
      await one.ack()
      assert.deepEqual(textsOf(await receive(broker, { group })), ['c'])
    }
  })

  test('delivers again what was not acknowledged', async () => {
    const broker = inProcess()
    await publishAll(broker, 'a')
    assert.deepEqual(textsOf(await receive(broker)), ['a'])
    await broker.close()
    await broker.open()
    const again = await receive(broker)
    assert.deepEqual(textsOf(again), ['a'])
    await publishAll(broker, 'b')
    await again.ack()
    assert.deepEqual(textsOf(await receive(broker)), ['b'])
  })

  test('waits for a message, and gives nothing once the signal aborts', async () => {
    const broker = inProcess()
    const waiting = receive(broker)
    await publishAll(broker, 'a')
    assert.deepEqual(textsOf(await waiting), ['a'])
    const aborted = new AbortController()
    const empty = receive(broker, { group: 'other', topics: ['none'], signal: aborted.signal })
    aborted.abort()
    assert.deepEqual(textsOf(await empty), [])
  })

  test('gives batches within the limits, and one message that is larger', async () => {
    const broker = inProcess()
    await publishAll(broker, 'aaaa', 'bbb', 'cc')
    const batches: string[][] = []
    for (let at = 0; at < 2; at += 1) {
      const batch = await receive(broker, { bytes: at === 0 ? 3 : 5 })
      batches.push(textsOf(batch))
      await batch.ack()
    }
    assert.deepEqual(batches, [['aaaa'], ['bbb', 'cc']])
  })

  test('keeps what a group has not acknowledged, and drops the oldest of the rest', async () => {
    const broker = inProcess({ topicMessagesMax: 2 })
    await publishAll(broker, 'a', 'b', 'c')
    assert.deepEqual(
      broker.messages('t').map((message) => message.text),
      ['b', 'c'],
    )
    const batch = await receive(broker)
    await assert.rejects(broker.publish('t', 'd'), (fault: Fault) => fault.code === 'BACKPRESSURE')
    await batch.ack()
    await publishAll(broker, 'd')
    assert.deepEqual(textsOf(await receive(broker)), ['d'])
  })

  test('tells when every message of a topic is acknowledged', async () => {
    const broker = inProcess()
    await publishAll(broker, 'a')
    let isAcked = false
    const acked = broker.whenAcked('t').then(() => (isAcked = true))
    const batch = await receive(broker)
    assert.equal(isAcked, false)
    await batch.ack()
    await acked
    await broker.whenAcked('t')
  })

  test('calls listeners with retained and later messages, outside of publish', async () => {
    const broker = inProcess()
    await publishAll(broker, 'a')
    const heard: string[] = []
    const cancel = broker.subscribe('t', (message) => void heard.push(message.text))
    const published = broker.publish('t', 'b')
    assert.deepEqual(heard, [])
    await published
    await Promise.resolve()
    assert.deepEqual(heard, ['a', 'b'])
    cancel()
    await publishAll(broker, 'c')
    await Promise.resolve()
    assert.deepEqual(heard, ['a', 'b'])
  })

  test('refuses options that it does not have', () => {
    assert.throws(
      () => inProcess({ topicMessagesMax: 0 }),
      (fault: Fault) => fault.code === 'OPTION_INVALID',
    )
  })
})
