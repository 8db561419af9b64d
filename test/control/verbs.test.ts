// What operators ask of a running system, over the memory backend.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { App } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import type { TopicPage } from '../../src/control/read-topic.ts'
import { countersOf } from '../../src/control/overview.ts'
import type { System } from '../../src/control/system.ts'
import type { VerifyResult } from '../../src/control/verify.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { ChainView, EventView, Overview } from '../../src/control/views.ts'
import type { LogEvent } from '../../src/ports/event-log.ts'
import { intercept } from '../../src/ports/intercept.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { Asking, talking } from './talking-services.ts'

let app: App
let system: System

before(async () => {
  app = await start(talking, memory())
  system = systemOf(app)
  for (const id of ['a', 'b', 'c']) await app.send(Asking.Ask({ id }), { id: `ask-${id}` })
  await app.settled()
})
after(() => app.stop())

describe('the overview', () => {
  test('has every service, its rules and their counters', async () => {
    const { services, health, ack } = (await runVerb(system, 'overview', {})) as Overview
    assert.deepEqual({ status: health.status, ack }, { status: 'well', ack: 'memory' })
    const counted = services.map(({ name, completed, lag, ageMs, rules }) => {
      return [name, completed, lag, ageMs, rules.map((rule) => rule.completed)]
    })
    assert.deepEqual(counted, [
      ['asker', 9, 0, 0, [3, 6]],
      ['teller', 3, 0, 0, [3]],
    ])
  })

  test('has the counters for the charts', async () => {
    const { services, topics } = (await runVerb(system, 'overview', {})) as Overview
    const counters = await countersOf(system)
    assert.equal(
      counters.appended,
      topics.reduce((sum, { appended }) => sum + appended, 0),
    )
    assert.deepEqual(
      counters.services,
      services.map(({ name, completed, lag }) => ({ name, completed, lag })),
    )
  })

  test('has every topic with its records, writers and readers', async () => {
    const { topics, links } = (await runVerb(system, 'overview', {})) as Overview
    const held = topics.filter((topic) => topic.retained > 0)
    assert.deepEqual(
      held.map(({ name, carries, partitions, appended }) => [name, carries, partitions, appended]),
      [
        ['asking.commands', 'commands', 8, 3],
        ['asking.events', 'events', 8, 3],
        ['telling.commands', 'commands', 2, 3],
        ['telling.events', 'events', 2, 3],
      ],
    )
    const drawn = links.map(({ kind, service, topic }) => `${service} ${kind} ${topic}`)
    assert.deepEqual(drawn.toSorted(), [
      'asker reads asker.replies',
      'asker reads asking.commands',
      'asker reads asking.events',
      'asker reads telling.events',
      'asker writes asking.events',
      'asker writes telling.commands',
      'teller reads telling.commands',
      'teller writes asker.replies',
      'teller writes telling.events',
    ])
  })

  test('has lag and age of a paused service', async () => {
    await runVerb(system, 'pause', { service: 'teller' })
    const operation = await app.send(Asking.Ask({ id: 'd' }))
    await operation.accepted()
    const seen = async (): Promise<Overview['services'][0] | undefined> => {
      const { services } = (await runVerb(system, 'overview', {})) as Overview
      return services.find(({ name }) => name === 'teller')
    }
    let teller = await seen()
    while (!teller || teller.lag < 1 || teller.ageMs < 1) teller = await seen()
    assert.equal(teller.isPaused, true)
    assert.equal(teller.lag, 1)
    await runVerb(system, 'resume', { service: 'teller' })
    await operation.settled()
  })
})

describe('a conversation', () => {
  test('is found by any of its messages, with its outcome', async () => {
    const whole = (await runVerb(system, 'chain', { event: 'ask-a' })) as ChainView
    const types = whole.events.map(({ type }) => type)
    assert.deepEqual(types, ['asking.Ask', 'asking.Asked', 'telling.Tell', 'telling.Told'])
    assert.deepEqual(
      whole.events.map(({ cause }) => cause),
      [undefined, ...whole.events.slice(0, 3).map(({ id }) => id)],
    )
    assert.deepEqual(whole.operation, { status: 'completed', kind: 'completed' })
    assert.equal(whole.events[2]?.rule, 'talk')
    assert.deepEqual(whole.events[3]?.data, { id: 'a' })
    for (const { id } of whole.events)
      assert.deepEqual(await runVerb(system, 'chain', { event: id }), whole)
  })

  test('that exceeds the number of records is marked as incomplete', async () => {
    const cut = (await runVerb(system, 'chain', { event: 'ask-a', records: 1 })) as ChainView
    assert.equal(cut.isComplete, false)
  })

  test('that does not exist is refused', async () => {
    await assert.rejects(runVerb(system, 'chain', { event: 'nobody' }), {
      code: 'MESSAGE_NOT_FOUND',
    })
  })
})

describe('the log of a topic', () => {
  test('gives its last messages and the next offsets', async () => {
    const page = (await runVerb(system, 'log', { topic: 'asking.commands' })) as TopicPage
    assert.ok(page.events.length >= 3)
    assert.ok(page.events.every(({ data }) => data !== undefined))
    const [first] = page.events
    const wish = { topic: 'asking.commands', partition: first?.partition, from: 0, limit: 1 }
    const one = (await runVerb(system, 'log', wish)) as TopicPage
    assert.equal(one.events.length, 1)
    assert.equal(one.next[0]?.next, (one.events[0]?.offset ?? 0) + 1)
  })

  test('gives the newest of all partitions, however they are spread', async () => {
    await using busy = await start(talking, memory())
    await busy.pause('asker')
    for (let at = 0; at < 60; at += 1)
      await busy.send(Asking.Ask({ id: `q${at}` }), { id: `${at}` })
    const wish = { topic: 'asking.commands', limit: 5 }
    const page = (await runVerb(systemOf(busy), 'log', wish)) as TopicPage
    assert.deepEqual(
      page.events.map(({ id }) => id),
      ['55', '56', '57', '58', '59'],
    )
    assert.equal(
      page.next.reduce((sum, { next }) => sum + next, 0),
      60,
    )
  })

  test('is refused for an unknown topic', async () => {
    await assert.rejects(runVerb(system, 'log', { topic: 'asking.comands' }), {
      code: 'TOPIC_NOT_FOUND',
      message: /asking\.commands/,
    })
  })
})

test('the newest messages come newest first, without their data', async () => {
  const events = (await runVerb(system, 'newest', { limit: 5 })) as EventView[]
  assert.equal(events.length, 5)
  assert.ok(events.every((event) => !('data' in event)))
  const times = events.map(({ at }) => at)
  assert.deepEqual(
    times,
    times.toSorted((a, b) => b - a),
  )
})

test('long work yields to the event loop', async () => {
  let reads = 0
  let turns = 0
  const counted = intercept(system.backend, (call, run) => {
    if (call === 'log.read') reads += 1
    return run()
  })
  const defer = (run: () => void): void => {
    turns += 1
    system.clock.defer(run)
  }
  const watched = { ...system, backend: counted, clock: { ...system.clock, defer } }
  await runVerb(watched, 'verify', {})
  assert.ok(reads > 0 && turns >= reads - 1, `${turns} turns for ${reads} reads`)
  turns = 0
  await runVerb(watched, 'chain', { event: 'ask-a' })
  assert.ok(turns > 0)
})

test('invalid arguments are refused with all issues at once', async () => {
  const given = { tpoic: 'x', limit: 0, partition: 1.5 }
  await assert.rejects(runVerb(system, 'log', given), (cause: Error & { issues: object[] }) => {
    assert.deepEqual(cause.issues, [
      { path: 'tpoic', message: 'is unknown: log takes topic, partition, from, limit' },
      { path: 'topic', message: 'is missing' },
      { path: 'partition', message: `must be a whole number from 0 to ${2 ** 53 - 1}` },
      { path: 'limit', message: 'must be a whole number from 1 to 10000' },
    ])
    return true
  })
})

describe('verify', () => {
  test('finds nothing in undamaged data, and reports progress', async () => {
    const told: number[] = []
    const tell = ({ done }: { done: number }): void => void told.push(done)
    const verified = (await runVerb(system, 'verify', {}, tell)) as VerifyResult
    assert.deepEqual(verified.issues, [])
    assert.equal(verified.isSound, true)
    assert.equal(told.at(-1), verified.records)
    assert.equal(verified.consumers, 3)
  })

  const sound: LogEvent = {
    topic: 'asking.events',
    partition: 4,
    id: 'planted',
    key: 'a',
    type: 'x',
    at: 1,
    head: '{"source":"door","correlation":"planted","hops":0}',
    data: '{}',
  }
  const defects: readonly (readonly [string, Partial<LogEvent>, RegExp])[] = [
    ['a head that is none', { head: '{' }, /its head is not valid \(planted\)/],
    ['data that is no JSON', { data: '{' }, /its data is not JSON \(planted\)/],
    ['a key in a wrong partition', { partition: 5 }, /another partition \(planted\)/],
  ]
  for (const [defect, change, expected] of defects)
    test(`finds ${defect}`, async () => {
      const damaged = await start(talking, memory())
      const seen = systemOf(damaged)
      await damaged.pause('asker')
      await seen.backend.log.append([{ ...sound, ...change }])
      const { isSound, issues } = (await runVerb(seen, 'verify', {})) as VerifyResult
      assert.equal(isSound, false)
      assert.ok(issues.some(({ message }) => expected.test(message)))
      await damaged.stop()
    })
})
