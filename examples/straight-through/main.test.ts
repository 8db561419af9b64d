// The exchange on disk: the command, and a restart between the request and the answer.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { start } from 'throughline'
import type { InProcessBroker } from 'throughline/edges'
import { inProcess } from 'throughline/edges'
import { embedded } from 'throughline/embedded'
import { Ledger, ServiceA, ServiceC } from './contracts.ts'
import { answer, answers, request } from './external-systems.ts'
import { straightThrough } from './services.ts'

const root = mkdtempSync(join(tmpdir(), 'straight through '))
after(() => rmSync(root, { recursive: true }))
const eventId = 'a3e83689-37ee-40b3-a7db-10552d12a30d'

/** Resolves once a topic has a message. */
const arrived = (broker: InProcessBroker, topic: string): Promise<void> =>
  new Promise((resolve) => void broker.subscribe(topic, () => resolve()))

test('an exchange completes once though the app stops between request and answer', async () => {
  const broker = inProcess()
  const directory = join(root, 'restart')
  const run = () =>
    start(straightThrough(), embedded({ directory }), { tools: { transport: broker } })
  const first = await run()
  await request(broker, eventId)
  await arrived(broker, 'REQUEST_TOPIC_B')
  await first.stop()
  // While nothing runs, the answer comes twice, and UPSTREAM_A1 asks again.
  for (let times = 0; times < 2; times += 1) {
    await answer(broker, eventId, 'ACCEPTED')
    await request(broker, eventId)
  }
  await using second = await run()
  await broker.whenAcked('RESPONSE_TOPIC_B')
  await broker.whenAcked('REQUEST_TOPIC_A1')
  assert.deepEqual(await second.operation(ServiceA.Init, eventId).settled(), {
    status: 'completed',
  })
  await second.settled()
  assert.equal(await second.ask(ServiceC.CountPostings({})), 1)
  assert.deepEqual(answers(broker), [`{"event_id":"${eventId}","status":"ACCEPTED"}`])
  assert.equal(broker.messages('REQUEST_TOPIC_B').length, 1)
  const rows = await second.ask(Ledger.ListPayloads({}))
  assert.deepEqual(rows.map(({ topic }) => topic).toSorted(), [
    'REQUEST_TOPIC_A1',
    'REQUEST_TOPIC_B',
    'RESPONSE_TOPIC_A1',
    'RESPONSE_TOPIC_B',
  ])
})

test('the command prints every body, and the outcome', () => {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const run = (...args: readonly string[]) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], {
      cwd: root,
      encoding: 'utf8',
    })
    assert.equal(stderr, '')
    assert.equal(status, 0)
    return stdout
  }
  const printed = run()
  for (const row of [
    `${eventId} | REQUEST_TOPIC_A1 | UPSTREAM_A1 | SERVICE_A | {"event_id":"${eventId}","message_type":"RQ_A_INIT"} | SERVICE_A | `,
    `${eventId} | RESPONSE_TOPIC_A1 | SERVICE_A | UPSTREAM_A1 | {"event_id":"${eventId}","status":"ACCEPTED"} | SERVICE_A | `,
    `${eventId} | REQUEST_TOPIC_B | SERVICE_B | DOWNSTREAM_B | {"event_id":"${eventId}","message_type":"RQ_B_STP"} | SERVICE_B | `,
    `a4e83689-37ee-40b3-a7db-10552d12a30d | RESPONSE_TOPIC_B | DOWNSTREAM_B | SERVICE_B | {"event_id":"a4e83689-37ee-40b3-a7db-10552d12a30d","status":"ACCEPTED"} | SERVICE_B | `,
  ])
    assert.ok(printed.includes(`\n${row}`), `${row} in ${printed}`)
  assert.match(printed, /: completed\nPostings of SERVICE_C: 1\n$/)
  const again = run()
  assert.match(again, /had been received before/)
  assert.match(again, /Postings of SERVICE_C: 1\n$/)
  const refused = run('--downstream', 'refuses', '--event-id', 'b')
  assert.match(refused, /b: rejected \(refused-by-downstream\)\nPostings of SERVICE_C: 1\n$/)
})
