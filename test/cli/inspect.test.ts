// The commands that inspect data: the same output from the owner as from the data alone.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { embedded } from 'throughline/embedded'
import { systemClock } from '../../src/base/time/clock.ts'
import { connectToOwner } from '../../src/cli/shared/open-system.ts'
import { openSocket } from '../../src/control/control-socket.ts'
import type { System } from '../../src/control/system.ts'
import type { ChainView, EventView, TopicView } from '../../src/control/views.ts'
import { Asking } from '../control/talking-services.ts'
import type { TestDirectory } from './harness.ts'
import { withAndWithoutOwner, createTestDirectory, sendConversations } from './harness.ts'

interface Page {
  readonly events: readonly EventView[]
  readonly next: readonly { readonly partition: number; readonly next: number }[]
}

withAndWithoutOwner('a command that inspects data', (at, isRunning) => {
  test('topics lists the topics with their record counts', async () => {
    const { code, out } = await at.run(['topics'])
    assert.equal(code, 0)
    const [head, ...lines] = out.trimEnd().split('\n')
    assert.match(head ?? '', /^topic +carries +partitions +appended +retained$/)
    assert.ok(lines.some((line) => /^asking\.commands +commands +8 +3 +3$/.test(line)))
    const names = lines.map((line) => line.split(' ')[0])
    assert.deepEqual(names, names.toSorted(undefined))
    const views = (await at.runJson('topics')) as TopicView[]
    assert.deepEqual(
      views.find(({ name }) => name === 'telling.events'),
      { name: 'telling.events', carries: 'events', partitions: 2, appended: 3, retained: 3 },
    )
  })

  test('consumers lists every consumer with its counters', async () => {
    const { out } = await at.run(['consumers'])
    assert.match(
      out,
      /^service +rule +kind +accepted +completed +pending +dead +discarded +expired +lag +age$/m,
    )
    assert.match(out, /^asker +talk +saga +6 +6 +0 +0 +0 +0 +0 +0 ms$/m)
    assert.deepEqual((await at.runJson('consumers')) as object[], [
      consumer('asker', 'question', 'entity', 3),
      consumer('asker', 'talk', 'saga', 6),
      consumer('teller', 'answer', 'entity', 3),
    ])
  })

  test('log prints the last messages of all partitions in order of time', async () => {
    const { out } = await at.run(['log', 'asking.events', '--limit', '2'])
    const [head, ...lines] = out.trimEnd().split('\n')
    assert.match(head ?? '', /^time +place +type +key +from +id +data$/)
    assert.equal(lines.length, 2)
    assert.match(lines[1] ?? '', /^\d{4}-.+Z +\d@\d+ +asking\.Asked +c +asker.* \{"id":"c"\}$/)
    const page = (await at.runJson('log', 'asking.events')) as Page
    assert.deepEqual(
      page.events.map(({ key }) => key),
      ['a', 'b', 'c'],
    )
    assert.equal(page.next.length, 8)
  })

  test('log reads one partition from an offset on', async () => {
    const { events } = (await at.runJson('log', 'asking.commands')) as Page
    const [event] = events
    assert.ok(event)
    const { partition, offset } = event
    const only = ['--partition', String(partition), '--from']
    const found = (await at.runJson('log', 'asking.commands', ...only, String(offset))) as Page
    assert.deepEqual(found.events[0], event)
    const none = (await at.runJson('log', 'asking.commands', ...only, '1000')) as Page
    assert.deepEqual(none.events, [])
    const { code, out, err } = await at.run(['log', 'asking.commands', ...only, '1000'])
    assert.deepEqual([code, out, err], [0, '', 'No messages.\n'])
  })

  test('log refuses an invalid partition, an invalid limit, and an unknown topic', async () => {
    const partition = await at.run(['log', 'telling.events', '--partition', '2'])
    assert.equal(partition.code, 2)
    assert.match(partition.err, /partition: must be a whole number from 0 to 1/)
    const limit = await at.run(['log', 'telling.events', '--limit', '0'])
    assert.equal(limit.code, 2)
    assert.match(limit.err, /limit: must be a whole number from 1 to 10000/)
    const topic = await at.run(['log', 'telling.evnts'])
    assert.equal(topic.code, 1)
    assert.match(topic.err, /^TOPIC_NOT_FOUND: .*did you mean "telling\.events"\?/)
  })

  test('chain shows a conversation as a tree, from any of its messages', async () => {
    const { out } = await at.run(['chain', 'ask-b'])
    const lines = out.trimEnd().split('\n')
    const shown = lines.map((line) => line.split(/ {2,}(?=\+)| {2,}after/)[0])
    assert.deepEqual(shown.slice(0, 5), [
      'message',
      'asking.Ask',
      '└─ asking.Asked',
      '   └─ telling.Tell',
      '      └─ telling.Told',
    ])
    assert.match(
      lines[1] ?? '',
      / \+0 ms +outside +b +asking\.commands\/\d@\d+ +ask-b +COMPLETED at asker\/question$/,
    )
    assert.match(lines[3] ?? '', /asker\/talk/)
    assert.equal(lines.at(-1), 'Outcome: completed')
    const view = (await at.runJson('chain', 'ask-b')) as ChainView
    assert.equal(view.correlation, 'ask-b')
    assert.equal(view.events.length, 4)
    const last = view.events.at(-1)?.id ?? ''
    assert.equal((await at.run(['chain', last])).out, out)
  })

  test('chain of an unknown message is a fault with the id', async () => {
    const { code, err } = await at.run(['chain', 'nobody', '--json'])
    assert.equal(code, 1)
    const { error } = JSON.parse(err) as { error: { code: string; ids: object } }
    assert.deepEqual([error.code, error.ids], ['MESSAGE_NOT_FOUND', { message: 'nobody' }])
  })

  test('verify reads all records, rows and consumers', async () => {
    const { code, out, err } = await at.run(['verify'])
    assert.deepEqual([code, err], [0, ''])
    assert.match(out, /^Sound: read 12 records in \d+ topics, \d+ rows and 3 consumers\.\n$/)
    const verified = (await at.runJson('verify')) as { isSound: boolean; records: number }
    assert.deepEqual([verified.isSound, verified.records], [true, 12])
  })

  test('verify shows its progress on a terminal', async () => {
    const { err } = await at.run(['verify'], { isTTY: true, env: { NO_COLOR: '1' } })
    assert.match(err, /\[K█+░* +\d+ of 12 records/)
    assert.ok(err.endsWith('\r\u001b[K'))
  })

  test('describe shows services, rules, and what they read and write', async () => {
    const { code, out } = await at.run(['describe'])
    assert.equal(code, 0)
    assert.match(out, /^asker +asking +asking\.events, telling\.commands$/m)
    assert.match(out, /^teller\/answer +entity +telling\.commands$/m)
    const { services } = (await at.runJson('describe')) as { services: { name: string }[] }
    assert.deepEqual(
      services.map(({ name }) => name),
      ['asker', 'teller'],
    )
  })

  test('health prints the status, and fails if the system does not run', async () => {
    const { code, out } = await at.run(['health'])
    assert.equal(code, isRunning ? 0 : 1, 'a system that does not run is a failure')
    const notRunning = isRunning ? '' : 'Not running.\n'
    assert.match(out, new RegExp(`^well: .+\nAck level: disk\\.\n${notRunning}$`))
    const report = JSON.parse((await at.run(['health', '--json'])).out) as object
    assert.partialDeepStrictEqual(report, { status: 'well', ack: 'disk', isRunning })
  })

  test('pause and resume refuse an unknown service and suggest the nearest name', async () => {
    for (const verb of ['pause', 'resume']) {
      const { code, err } = await at.run([verb, 'tellr', '--offline'])
      assert.equal(code, 1)
      assert.match(err, /^SERVICE_NOT_FOUND: .*did you mean "teller"\?/)
    }
  })

  test('pause pauses a service until resume', async () => {
    const flags = isRunning ? [] : ['--offline']
    assert.deepEqual(await at.runJson('pause', 'teller', ...flags), {
      service: 'teller',
      isPaused: true,
    })
    const { code, out } = await at.run(['health'])
    assert.equal(code, isRunning ? 0 : 1)
    const notRunning = isRunning ? '' : 'Not running.\n'
    assert.equal(out, `paused: teller\nAck level: disk.\n${notRunning}`)
    assert.match((await at.run(['consumers'])).out, /^teller \(paused\) +answer /m)
    assert.equal((await at.run(['resume', 'teller', ...flags])).out, 'teller is resumed.\n')
    assert.match((await at.run(['health'])).out, /^well: /)
    const { out: said } = await at.run(['pause', 'asker', ...flags])
    assert.match(said, /^asker is paused\. Resume it with: throughline resume asker$/m)
    await at.run(['resume', 'asker', ...flags])
  })
})

function consumer(service: string, rule: string, kind: string, count: number): object {
  const counts = {
    accepted: count,
    completed: count,
    pending: 0,
    dead: 0,
    discarded: 0,
    expired: 0,
    lag: 0,
    ageMs: 0,
  }
  return { service, isPaused: false, rule, kind, ...counts }
}

suite('data without an owner', () => {
  let at: TestDirectory
  before(async () => {
    at = createTestDirectory()
    const app = await at.launch()
    await sendConversations(app)
    await app.stop()
  })
  after(() => at.remove())

  test('is changed only with --offline', async () => {
    for (const verb of ['pause', 'resume']) {
      const { code, out, err } = await at.run([verb, 'teller'])
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, /^DATA_READ_ONLY: .*data has no running owner\n.*--offline/)
    }
  })

  test('whose owner cannot be reached is refused with the exit code to retry later', async () => {
    const owner = embedded({ directory: at.data })
    await owner.log.open()
    const { code, err } = await at.run(['pause', 'teller', '--offline', '--json'])
    await owner.log.close()
    assert.equal(code, 69)
    assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'DATA_OWNED')
  })

  test('that is missing is not created, and existing data directories are suggested', async () => {
    const elsewhere = createTestDirectory()
    for (const argv of [['topics'], ['pause', 'teller', '--offline'], ['resume', 'teller']]) {
      const { code, err } = await elsewhere.run(argv)
      assert.equal(code, 1)
      assert.match(err, /^DATA_MISSING: the directory holds no data: .*data\n/)
    }
    const usual = join('.throughline', 'shop', 'log')
    mkdirSync(join(elsewhere.root, '.throughline/other'), { recursive: true })
    cpSync(at.data, join(elsewhere.root, usual), {
      recursive: true,
      filter: (path) => !path.endsWith('.sock'),
    })
    const { err } = await elsewhere.run(['topics'])
    assert.ok(err.includes(`data; try --data ${usual}\n`), err)
    assert.equal((await elsewhere.run(['topics', '--data', usual])).code, 0)
    elsewhere.remove()
  })

  test('is found one level below the named directory, with a note', async () => {
    const above = createTestDirectory()
    const copy = (name: string): void =>
      cpSync(at.data, join(above.root, 'shop', name), {
        recursive: true,
        filter: (path) => !path.endsWith('.sock'),
      })
    mkdirSync(join(above.root, 'shop/other'), { recursive: true })
    copy('log')
    const below = join('shop', 'log')
    const said = `shop has no data itself; using ${below}.`
    for (const argv of [['topics'], ['repair'], ['salvage', '--to', 'saved']]) {
      const { code, err } = await above.run([...argv, '--data', 'shop'])
      assert.deepEqual([code, err], [0, `${said}\n`])
    }
    const asJson = await above.run(['topics', '--data', 'shop', '--json'])
    assert.deepEqual(JSON.parse(asJson.err), { note: said })
    copy('old')
    const several = await above.run(['topics', '--data', 'shop'])
    assert.equal(several.code, 1)
    const names = `--data ${below}, --data ${join('shop', 'old')}`
    assert.ok(several.err.startsWith('DATA_MISSING: '), several.err)
    assert.ok(several.err.includes(`shop; try ${names}\n`), several.err)
    above.remove()
  })

  test('that is not sound fails verify, with the exit code', async () => {
    const spoilt = createTestDirectory()
    await (await spoilt.launch()).stop()
    const { log } = embedded({ directory: spoilt.data })
    await log.open()
    const head = '{"source":"door","correlation":"planted","hops":0}'
    const event = { topic: 'asking.events', id: 'planted', key: 'a', type: 'x', at: 1, head }
    await log.append([{ ...event, partition: 5, data: '{}' }])
    await log.close()
    const { code, out } = await spoilt.run(['verify'])
    assert.equal(code, 1)
    const [verdict, issue] = out.split('\n')
    assert.match(verdict ?? '', /^Not sound: read 1 record in /)
    assert.match(issue ?? '', /^ {2}asking\.events\/5@\d+: its key belongs to another/)
    const asJson = await spoilt.run(['verify', '--json'])
    assert.equal(asJson.code, 1)
    assert.equal((JSON.parse(asJson.out) as { isSound: boolean }).isSound, false)
    spoilt.remove()
  })
})

test('health of a failing system ends with 1', async () => {
  const at = createTestDirectory()
  await (await at.launch()).stop()
  const report = {
    status: 'failing',
    ack: 'disk',
    detail: 'the disk is full',
    paused: ['teller'],
    groups: [],
    alarms: [],
    slowUnits: [],
    refolds: [{ entity: 'teller/till', states: 3, unchanged: 3 }],
    slowRules: [
      {
        consumer: 'teller/till',
        type: 'bank.Pay',
        budgetMs: 100,
        count: 2,
        worst: { tookMs: 340.4, messageId: 'pay-1', key: 'ada' },
      },
    ],
  } as const
  const failing: Partial<System> = { health: async () => report, clock: systemClock() }
  const socket = await openSocket(at.data, failing as System)
  const { code, out } = await at.run(['health'])
  assert.equal(code, 1)
  const [what, ack, paused, slow, refolds] = out.split('\n')
  assert.deepEqual(
    [what, ack, paused],
    ['failing: the disk is full', 'Ack level: disk.', 'Paused: teller.'],
  )
  assert.match(
    slow ?? '',
    /^Slow: teller\/till took 340 ms on bank.Pay pay-1 of ada, over .* 100 ms/,
  )
  assert.equal(refolds, 'Folded again: 3 states of teller/till, 3 of them unchanged.')
  assert.equal((await at.run(['health', '--json'])).code, 1)
  await socket.close()
  at.remove()
})

test('an owner that ends during a call is OWNER_GONE', async () => {
  const at = createTestDirectory()
  await (await at.launch()).stop()
  const going: Partial<System> = {
    async health() {
      await socket.close()
      throw new Error('nobody hears this')
    },
  }
  const socket = await openSocket(at.data, going as System)
  const { code, err } = await at.run(['health'])
  assert.equal(code, 69)
  assert.match(err, /^OWNER_GONE: /)
  at.remove()
})

test('an owner that ended before a call is OWNER_GONE', async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  const owner = await connectToOwner(at.data)
  assert.ok(owner)
  await app.stop()
  await assert.rejects(owner.run('health'), { code: 'OWNER_GONE' })
  at.remove()
})

test('consumers shows the lag of a paused service and its age', { timeout: 20_000 }, async () => {
  const at = createTestDirectory()
  const app = await at.launch()
  await at.run(['pause', 'teller'])
  const operation = await app.send(Asking.Ask({ id: 'a' }))
  await operation.accepted()
  interface Behind {
    readonly lag: number
    readonly ageMs: number
  }
  const behind = async (): Promise<Behind> => {
    const views = (await at.runJson('consumers')) as (Behind & { service: string })[]
    const teller = views.find(({ service }) => service === 'teller')
    assert.ok(teller)
    return teller
  }
  while ((await behind()).ageMs < 1);
  assert.equal((await behind()).lag, 1)
  await app.stop()
  at.remove()
})
