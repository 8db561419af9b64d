// What it means to send an id again, as docs/failures.md says.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Fault, command, contract, entity, event, handler, service, start } from 'throughline'
import { fetchHandler, gateway } from 'throughline/gateway'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { testClock } from '../engine/support/simulation.ts'
import { read } from './documents.ts'

const Data = z.object({ id: z.string(), note: z.string() })
const HEAD =
  '| The topic still has the message | The result is still kept | You send the same content | You send other content |'
const NOTHING = 'nothing happens, and the operation '
/** What the page says: how often the command takes effect, and what becomes of the second call. */
const MEANS: Readonly<Record<string, { readonly effects: number; readonly state: string }>> = {
  [`${NOTHING}has the first result`]: { effects: 1, state: 'completed' },
  [`${NOTHING}is \`OPERATION_NOT_FOUND\``]: { effects: 1, state: 'OPERATION_NOT_FOUND' },
  '`ID_CONFLICT`': { effects: 1, state: 'ID_CONFLICT' },
  'a new command': { effects: 2, state: 'completed' },
}

const codeOf = (cause: unknown): string => {
  if (cause instanceof Fault) return cause.code
  throw cause
}

type Way = 'send' | 'append' | 'http'

/** Sends a command, and its id again when all else has happened. */
async function sendTwice(
  way: Way,
  { isRetained, isKept, note }: { isRetained: boolean; isKept: boolean; note: string },
) {
  const retention = isRetained ? {} : { retention: { commands: { ageMs: 1_000 } } }
  const Notes = contract(
    'notes',
    { key: 'id', ...retention },
    { Write: command(Data), Written: event(Data) },
  )
  const book = entity(
    'book',
    { of: Notes, id: 'id', initial: 0 },
    {
      decide: (on) => [on(Notes.Write, (asked) => Notes.Written(asked))],
      evolve: (on) => [on(Notes.Written, (_, count) => count + 1)],
    },
  )
  const clock = testClock()
  const { until } = clock
  const engine = { retentionCheckMs: 100, operationKeptMs: isKept ? 3_600_000 : 1_000 }
  let effects = 0
  const count = handler('count', {}, (on) => [on(Notes.Written, () => void (effects += 1))])
  const notes = service('notes', { owns: [Notes], runs: [book, count] })
  const app = await until(start([notes], memory({ clock }), { clock, engine }))
  const ask = fetchHandler(gateway(app, { expose: [Notes] }))
  const url = 'http://localhost/messages/notes/Write'
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'once' }
  const send = async (data: z.infer<typeof Data>): Promise<string | undefined> => {
    if (way === 'send')
      return until(app.send(Notes.Write(data), { id: 'once' })).then(() => undefined, codeOf)
    if (way === 'append') {
      const [answer] = await until(app.append([Notes.Write(data)], { ids: ['once'] }))
      return answer?.status === 'refused' ? answer.code : undefined
    }
    const request = new Request(url, { method: 'POST', headers, body: JSON.stringify(data) })
    const response = await until(Promise.resolve(ask(request)))
    return response.status === 202 ? undefined : ((await response.json()) as { code: string }).code
  }
  assert.equal(await send({ id: 'a', note: 'one' }), undefined)
  await clock.advance(20_000)
  const refused = await send({ id: 'a', note })
  await clock.advance(500)
  const operation = app.operation(Notes.Write, way === 'http' ? 'notes.Write:once' : 'once')
  const state = refused ?? (await until(operation.state()).then(({ status }) => status, codeOf))
  await until(app.stop())
  return { effects, state }
}

suite('an id that is sent again', () => {
  const lines = read('docs/failures.md').split(`${HEAD}\n`)[1]?.split('\n') ?? []
  const rows = lines.slice(1, lines.indexOf('')).map((line) => line.slice(2, -2).split(' | '))
  assert.equal(rows.length, 4)
  for (const [retained = '', kept = '', same = '', other = ''] of rows)
    for (const way of ['send', 'append', 'http'] as const)
      test(`by ${way}, with its message ${retained} and its result ${kept}`, async () => {
        const sendAgain = (note: string) =>
          sendTwice(way, { isRetained: retained === 'yes', isKept: kept === 'yes', note })
        assert.deepEqual(await sendAgain('one'), MEANS[same])
        assert.deepEqual(await sendAgain('another'), MEANS[other])
      })
})
