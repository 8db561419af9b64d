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
import { ServiceA, ServiceC } from './contracts.ts'
import { answer, answerIdOf, answers, request } from './external-systems.ts'
import { bodiesOf } from './ledger-tables.ts'
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
  const run = (backend = embedded({ directory })) =>
    start(straightThrough(), backend, { tools: { transport: broker } })
  const first = await run()
  await request(broker, eventId)
  await arrived(broker, 'REQUEST_TOPIC_B')
  await first.stop()
  // While nothing runs, the answer comes twice, and UPSTREAM_A1 asks again.
  for (let times = 0; times < 2; times += 1) {
    await answer(broker, eventId, 'ACCEPTED')
    await request(broker, eventId)
  }
  const backend = embedded({ directory })
  await using second = await run(backend)
  await broker.whenAcked('RESPONSE_TOPIC_B')
  await broker.whenAcked('REQUEST_TOPIC_A1')
  assert.deepEqual(await second.operation(ServiceA.Init, eventId).settled(), {
    status: 'completed',
  })
  await second.settled()
  assert.equal(await second.ask(ServiceC.CountPostings({})), 1)
  assert.deepEqual(answers(broker), [`{"event_id":"${eventId}","status":"ACCEPTED"}`])
  assert.equal(broker.messages('REQUEST_TOPIC_B').length, 1)
  const rows = await bodiesOf(backend.store, [eventId, answerIdOf(eventId)])
  assert.deepEqual(
    rows.map(({ TOPIC }) => TOPIC),
    ['REQUEST_TOPIC_A1', 'RESPONSE_TOPIC_A1', 'REQUEST_TOPIC_B', 'RESPONSE_TOPIC_B'],
  )
})

test('the command prints the tables of the ledger, and the outcome', () => {
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
  const time = '[0-9-]{10}T[0-9:.]{12}Z'
  const has = (printed: string, ...rows: readonly string[]): void => {
    for (const row of rows) {
      const cells = row.split(' | ').map((cell) => (cell === 'TIME' ? time : RegExp.escape(cell)))
      assert.match(printed, new RegExp(`^\\| ${cells.join(' \\| ')} \\|$`, 'm'), row)
    }
  }
  const printed = run()
  const answerId = answerIdOf(eventId)
  has(
    printed,
    'EVENT_ID | SERVICE_MESSAGE_TYPE | STATUS | CREATED_BY | CREATED_DTTM | UPDATED_BY | UPDATED_DTTM',
    `${eventId} | RQ_A_INIT | COMPLETED | door | TIME | SERVICE_A | TIME`,
    `${answerId} | RS_B_STP | COMPLETED | door | TIME | SERVICE_B | TIME`,
    'EVENT_ID | TOPIC | SOURCE_SERVICE | TARGET_SERVICE | PAYLOAD | CREATED_BY | CREATED_DTTM',
    `${eventId} | REQUEST_TOPIC_A1 | UPSTREAM_A1 | SERVICE_A | {"event_id":"${eventId}","message_type":"RQ_A_INIT"} | SERVICE_A | TIME`,
    `${eventId} | RESPONSE_TOPIC_A1 | SERVICE_A | UPSTREAM_A1 | {"event_id":"${eventId}","status":"ACCEPTED"} | SERVICE_A | TIME`,
    `${eventId} | REQUEST_TOPIC_B | SERVICE_B | DOWNSTREAM_B | {"event_id":"${eventId}","message_type":"RQ_B_STP"} | SERVICE_B | TIME`,
    `${answerId} | RESPONSE_TOPIC_B | DOWNSTREAM_B | SERVICE_B | {"event_id":"${answerId}","status":"ACCEPTED"} | SERVICE_B | TIME`,
  )
  // Messages of a service have ids of their own.
  for (const row of [
    /^\| [0-9a-f-]{36} \| RQ_B_STP \| COMPLETED \| SERVICE_A \| \S+ \| SERVICE_B \|/m,
    /^\| [0-9a-f-]{36} \| RQ_C_POST \| COMPLETED \| SERVICE_B \| \S+ \| SERVICE_C \|/m,
  ])
    assert.match(printed, row)
  assert.ok(!printed.includes('UNPROCESSED'))
  assert.match(printed, /: completed\nPostings of SERVICE_C: 1\n$/)
  const again = run()
  assert.match(again, /had been received before/)
  assert.match(again, /Postings of SERVICE_C: 1\n$/)
  const refused = run('--downstream', 'refuses', '--event-id', 'b')
  assert.match(refused, /b: rejected \(refused-by-downstream\)\nPostings of SERVICE_C: 1\n$/)
})
