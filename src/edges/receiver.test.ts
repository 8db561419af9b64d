import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { Fault } from '../base/errors/fault.ts'
import { contract } from '../contract/contract.ts'
import type { Message } from '../contract/message.ts'
import { event } from '../contract/message.ts'
import { createBackOff } from './back-off.ts'
import type { EdgeAppendResult, EdgeHost } from './edge-host.ts'
import { edge } from './edge.ts'
import { inProcess } from './in-process.ts'
import { receiveBatch } from './receiver.ts'
import type { RejectedRecord } from './wire-contract.ts'

const Sensing = contract(
  'sensing',
  { key: 'id' },
  { Measured: event(z.object({ id: z.string() })) },
)
const sensor = edge(
  'sensor',
  { system: 'SENSOR', service: 'SENSING' },
  {
    receives: (on) => [
      on(
        Sensing.Measured,
        { topic: 'IN', body: z.object({ id: z.string() }), id: ({ id }) => id },
        ({ id }) => ({ id }),
      ),
    ],
  },
)

const stored: EdgeAppendResult = { status: 'stored', isDuplicate: false }
const duplicate: EdgeAppendResult = { status: 'stored', isDuplicate: true }
const refused = (code: string): EdgeAppendResult => ({ status: 'refused', code, detail: 'no' })
const unknown: EdgeAppendResult = { status: 'unknown', cause: new Error('no answer') }

/** What becomes of a message, by its name and id, at each attempt; stored if nothing is said. */
type Script = Record<string, EdgeAppendResult[]>

async function harness(bodies: readonly string[], script: Script = {}) {
  const broker = inProcess()
  for (const body of bodies) await broker.publish('IN', body)
  const calls: string[][] = []
  const delays: number[] = []
  const failures: unknown[] = []
  const rejections: RejectedRecord[] = []
  const stopping = new AbortController()
  const nameOf = ({ name }: Message, id: string): string =>
    name === 'Measured' ? id : name === 'Rejected' ? 'Rejected' : 'Received'
  const host: EdgeHost = {
    async append(messages, { ids }) {
      const names = messages.map((message, at) => nameOf(message, ids[at] as string))
      calls.push(names)
      return names.map((name) => script[name]?.shift() ?? stored)
    },
    clock: {
      now: () => 0,
      wall: () => 0,
      elapsed: () => 0,
      after(delayMs, run) {
        delays.push(delayMs)
        queueMicrotask(run)
        return () => undefined
      },
      defer: queueMicrotask,
    },
    failed: (_, cause) => void failures.push(cause),
    recovered: () => undefined,
    onRejected: (_, rejected) => void rejections.push(rejected),
  }
  const counts = { received: 0, accepted: 0, repeated: 0, rejected: 0 }
  const { signal } = stopping
  const backOff = createBackOff('sensor', host, signal)
  const run = (transport = broker) =>
    receiveBatch({ edge: sensor, transport, host, counts, backOff, signal })
  /** How many messages are not acknowledged. */
  const left = async (): Promise<number> => {
    const limits = { messages: 100, bytes: 1_000 }
    const soon = new AbortController()
    const batch = broker.receive({ group: 'sensor', topics: ['IN'], limits, signal: soon.signal })
    soon.abort()
    return (await batch).deliveries.length
  }
  return { broker, host, calls, delays, failures, rejections, counts, stopping, run, left }
}

const body = (id: string): string => JSON.stringify({ id })

suite('a received batch', () => {
  test('is appended with the ids of the other system, in one call, and acknowledged', async () => {
    const at = await harness([body('a'), body('b')], { b: [duplicate] })
    await at.run()
    assert.deepEqual(at.calls, [['Received', 'a', 'Received', 'b']])
    assert.deepEqual(at.counts, { received: 2, accepted: 1, repeated: 1, rejected: 0 })
    assert.equal(await at.left(), 0)
  })

  test('is appended again with the same ids as long as an answer is unknown', async () => {
    const at = await harness([body('a'), body('b')], { a: [unknown, unknown], b: [unknown] })
    await at.run()
    assert.deepEqual(at.calls, [['Received', 'a', 'Received', 'b'], ['a', 'b'], ['a']])
    assert.deepEqual(at.delays, [])
    assert.equal(await at.left(), 0)
  })

  test('waits longer each time while nothing can be stored, and reports why', async () => {
    const full = refused('LOG_FULL')
    const at = await harness([body('a')], { Received: [full, full, full], a: [full, full, full] })
    await at.run()
    assert.deepEqual(at.delays, [200, 400, 800])
    assert.deepEqual(
      at.failures.map((cause) => (cause as Fault).code),
      ['LOG_FULL', 'LOG_FULL', 'LOG_FULL'],
    )
    assert.equal(await at.left(), 0)
  })

  test('waits out back-pressure, which is no failure', async () => {
    const at = await harness([body('a')])
    const { append } = at.host
    let isFull = true
    const full = async (...args: Parameters<typeof append>) => {
      if (!isFull) return append(...args)
      isFull = false
      throw new Fault('BACKPRESSURE', { detail: 'test' })
    }
    Object.assign(at.host, { append: full })
    await at.run()
    assert.deepEqual(at.delays, [200])
    assert.deepEqual(at.failures, [])
    assert.equal(await at.left(), 0)
  })

  test('keeps a body that cannot be decoded, and takes the next one', async () => {
    const at = await harness(['{', body('a')])
    await at.run()
    assert.deepEqual(at.calls, [['Received', 'Rejected', 'Received', 'a']])
    assert.deepEqual(at.counts, { received: 2, accepted: 1, repeated: 0, rejected: 1 })
    const [rejected] = at.rejections
    assert.equal(rejected?.code, 'BODY_INVALID')
    assert.equal(await at.left(), 0)
  })

  test('keeps a body whose message is refused, and what waited behind it follows at once', async () => {
    const earlier = refused('EARLIER_NOT_STORED')
    const script = { a: [refused('ID_CONFLICT')], b: [earlier] }
    const at = await harness([body('a'), body('b')], script)
    await at.run()
    assert.deepEqual(at.calls, [
      ['Received', 'a', 'Received', 'b'],
      ['Rejected', 'b'],
    ])
    assert.deepEqual(at.delays, [])
    assert.deepEqual(
      at.rejections.map(({ eventId, code }) => [eventId, code]),
      [['a', 'ID_CONFLICT']],
    )
    assert.equal(await at.left(), 0)
  })

  test('that was rejected before is rejected without another report', async () => {
    const at = await harness(['{'], { Received: [duplicate], Rejected: [refused('ID_CONFLICT')] })
    await at.run()
    assert.deepEqual(at.rejections, [])
    assert.equal(at.counts.rejected, 1)
    assert.equal(await at.left(), 0)
  })

  test('is not acknowledged if the app stops before everything is stored', async () => {
    const at = await harness([body('a')], { a: [unknown] })
    const { append } = at.host
    const stopAfter = async (...args: Parameters<typeof append>) => {
      at.stopping.abort()
      return append(...args)
    }
    Object.assign(at.host, { append: stopAfter })
    await at.run()
    assert.equal(await at.left(), 1)
  })

  test('comes again if its acknowledgement fails', async () => {
    const at = await harness([body('a')], { Received: [stored, duplicate], a: [stored, duplicate] })
    const { receive } = at.broker
    let isBroken = true
    const broken: typeof receive = async (request) => {
      const batch = await receive(request)
      const lost = async (): Promise<void> => {
        isBroken = false
        throw new Error('the broker is gone')
      }
      return { ...batch, ack: isBroken ? lost : batch.ack }
    }
    const transport = { ...at.broker, receive: broken }
    await assert.rejects(at.run(transport), /the broker is gone/)
    await at.run(transport)
    assert.deepEqual(at.counts, { received: 2, accepted: 1, repeated: 1, rejected: 0 })
    assert.equal(await at.left(), 0)
  })
})
