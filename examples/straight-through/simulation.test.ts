// Whole exchanges in simulated time: what both external systems see, and what is recorded.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { minutes, seconds } from 'throughline'
import type { InProcessBroker, WireRecord } from 'throughline/edges'
import { inProcess } from 'throughline/edges'
import type { Simulation } from 'throughline/testing'
import { simulate } from 'throughline/testing'
import { ServiceA, ServiceC } from './contracts.ts'
import type { Behaviour } from './external-systems.ts'
import { answer, answers, request, runDownstream } from './external-systems.ts'
import { straightThrough } from './services.ts'

const eventId = 'a3e83689-37ee-40b3-a7db-10552d12a30d'
const answerId = 'a4e83689-37ee-40b3-a7db-10552d12a30d'
const response = (status: string): string => `{"event_id":"${eventId}","status":"${status}"}`

interface World extends AsyncDisposable {
  readonly broker: InProcessBroker
  readonly system: Simulation
}

async function run(behaviour: Behaviour, seed = 7): Promise<World> {
  const broker = inProcess()
  runDownstream(broker, behaviour)
  const system = await simulate(straightThrough(), { seed, tools: { transport: broker } })
  return { broker, system, [Symbol.asyncDispose]: () => system[Symbol.asyncDispose]() }
}

/** Advances in small steps until something is so. */
async function until(system: Simulation, isSo: () => boolean): Promise<void> {
  for (let ms = 0; !isSo(); ms += 10) {
    assert.ok(ms < minutes(5), 'it has not happened in five minutes')
    await system.advance(10)
  }
}

/** The records of the wire, as event id, topic, source, target and body. */
async function bodies(system: Simulation): Promise<readonly string[][]> {
  const messages = await system.messages()
  return messages
    .filter(({ type }) => type === 'edge.Received' || type === 'edge.Sent')
    .map(({ data }) => {
      const { eventId: id, topic, source, target, body } = data as WireRecord
      return [id, topic, source, target, body]
    })
    .toSorted(([, one = ''], [, other = '']) => (one < other ? -1 : 1))
}

describe('an exchange', () => {
  test('is answered, processed and posted, and every body is recorded', async () => {
    await using world = await run('accepts')
    const { broker, system } = world
    await request(broker, eventId)
    await until(system, () => broker.messages('RESPONSE_TOPIC_B').length > 0)
    await system.until(broker.whenAcked('RESPONSE_TOPIC_B'))
    const outcome = await system.until(system.operation(ServiceA.Init, eventId).settled())
    assert.deepEqual(outcome, { status: 'completed' })
    await system.settled()
    assert.deepEqual(answers(broker), [response('ACCEPTED')])
    assert.equal(await system.ask(ServiceC.CountPostings({})), 1)
    assert.deepEqual(await bodies(system), [
      [
        eventId,
        'REQUEST_TOPIC_A1',
        'UPSTREAM_A1',
        'SERVICE_A',
        `{"event_id":"${eventId}","message_type":"RQ_A_INIT"}`,
      ],
      [
        eventId,
        'REQUEST_TOPIC_B',
        'SERVICE_B',
        'DOWNSTREAM_B',
        `{"event_id":"${eventId}","message_type":"RQ_B_STP"}`,
      ],
      [eventId, 'RESPONSE_TOPIC_A1', 'SERVICE_A', 'UPSTREAM_A1', response('ACCEPTED')],
      [
        answerId,
        'RESPONSE_TOPIC_B',
        'DOWNSTREAM_B',
        'SERVICE_B',
        `{"event_id":"${answerId}","status":"ACCEPTED"}`,
      ],
    ])
    const types = (await system.messages()).map(({ type }) => type)
    for (const type of ['RQ_A_INIT', 'RQ_B_STP', 'RS_B_STP', 'RQ_C_POST'])
      assert.equal(types.filter((each) => each === type).length, 1, type)
  })

  test('takes effect once, however often the request and the answer are delivered', async () => {
    await using world = await run('accepts')
    const { broker, system } = world
    for (let times = 0; times < 3; times += 1) await request(broker, eventId)
    await until(system, () => broker.messages('RESPONSE_TOPIC_B').length > 0)
    await answer(broker, eventId, 'ACCEPTED')
    await request(broker, eventId)
    await system.settled()
    assert.deepEqual(answers(broker), [response('ACCEPTED')])
    assert.equal(broker.messages('REQUEST_TOPIC_B').length, 1)
    assert.equal(await system.ask(ServiceC.CountPostings({})), 1)
    assert.equal((await bodies(system)).length, 4)
  })

  test('is rejected if DOWNSTREAM_B refuses', async () => {
    await using world = await run('refuses')
    const { broker, system } = world
    await request(broker, eventId)
    await until(system, () => answers(broker).length === 2)
    await system.settled()
    assert.deepEqual(answers(broker), [response('ACCEPTED'), response('REJECTED')])
    assert.deepEqual(await system.until(system.operation(ServiceA.Init, eventId).state()), {
      status: 'rejected',
      reason: 'refused-by-downstream',
    })
    assert.equal(await system.ask(ServiceC.CountPostings({})), 0)
  })

  test('is rejected if DOWNSTREAM_B does not answer in time, and an answer after that is refused', async () => {
    await using world = await run('silent')
    const { broker, system } = world
    await request(broker, eventId)
    await until(system, () => broker.messages('REQUEST_TOPIC_B').length === 1)
    await system.advance(seconds(28))
    assert.deepEqual(answers(broker), [response('ACCEPTED')])
    await until(system, () => answers(broker).length === 2)
    assert.deepEqual(answers(broker), [response('ACCEPTED'), response('REJECTED')])
    await answer(broker, eventId, 'ACCEPTED')
    await system.advance(seconds(1))
    await system.settled()
    assert.equal(await system.ask(ServiceC.CountPostings({})), 0)
    const late = (await system.messages()).filter(({ type }) => type.endsWith('TakeAnswerRefused'))
    assert.deepEqual(
      late.map(({ data }) => (data as { code: string }).code),
      ['not-waiting'],
    )
  })

  test('waits for nothing that cannot be decoded', async () => {
    await using world = await run('accepts')
    const { broker, system } = world
    await broker.publish('REQUEST_TOPIC_A1', '{"event_id":')
    await broker.publish('REQUEST_TOPIC_A1', '{"event_id":"x","message_type":"RQ_A_OTHER"}')
    await request(broker, eventId)
    await until(system, () => broker.messages('RESPONSE_TOPIC_B').length > 0)
    await system.settled()
    assert.equal(await system.ask(ServiceC.CountPostings({})), 1)
    const rejected = (await system.messages()).filter(({ type }) => type === 'edge.Rejected')
    assert.deepEqual(
      rejected.map(({ data }) => (data as { code: string }).code),
      ['BODY_INVALID', 'BODY_INVALID'],
    )
    const recorded = new Set((await bodies(system)).map(([, , , , body]) => body))
    assert.ok(recorded.has('{"event_id":'))
    assert.ok(recorded.has('{"event_id":"x","message_type":"RQ_A_OTHER"}'))
  })

  for (const seed of [1, 2, 3])
    test(`completes once though both services crash in the middle, seed ${seed}`, async () => {
      await using world = await run('accepts', seed)
      const { broker, system } = world
      await request(broker, eventId)
      await system.advance(seed * 5)
      await system.crash('service-a')
      await until(system, () => broker.messages('REQUEST_TOPIC_B').length > 0)
      await system.crash('service-b')
      await until(system, () => answers(broker).length > 0)
      await system.advance(minutes(2))
      await system.settled()
      // What is published twice after a crash has the same id, by which UPSTREAM_A1 can tell.
      assert.deepEqual(new Set(answers(broker)), new Set([response('ACCEPTED')]))
      const ids = broker.messages('RESPONSE_TOPIC_A1').map(({ headers }) => headers?.['message-id'])
      assert.equal(new Set(ids).size, 1)
      assert.equal(await system.ask(ServiceC.CountPostings({})), 1)
      assert.equal((await bodies(system)).length, 4)
    })
})
