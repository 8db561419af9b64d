// A served app that is busy, and has what operators look at: dead letters, held keys, edits, open sagas,
// timers and operations.
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from 'throughline'
import {
  after,
  become,
  command,
  contract,
  entity,
  event,
  handler,
  hours,
  projection,
  retryAfter,
  saga,
  service,
  start,
  tool,
} from 'throughline'
import { serve } from 'throughline/admin'
import { admin } from '../../src/admin/admin.ts'
import { runVerb } from '../../src/control/verbs.ts'
import type { AuditEntry, DeadLetterEntry, ListPage } from '../../src/admin/wire.ts'
import { systemOf } from '../../src/runtime/running-system.ts'
import { embedded } from 'throughline/embedded'
import type { HttpHandler, OnError } from 'throughline/gateway'
import { listen } from 'throughline/gateway'
import { z } from 'zod'
import { Asking, talking } from '../control/talking-services.ts'

const Letter = z.object({ id: z.string(), note: z.string().max(20) })
const Post = contract(
  'post',
  { key: 'id' },
  { Write: command(Letter), Written: event(Letter), Remind: command(Letter.pick({ id: true })) },
)

const letter = entity(
  'letter',
  { of: Post, id: 'id', initial: 0, emits: [Post.Written] },
  {
    decide: (on) => [on(Post.Write, (data) => Post.Written(data)), on(Post.Remind, () => [])],
    evolve: (on) => [on(Post.Written, (_, count) => count + 1)],
  },
)
const fails = ({ id, note }: z.infer<typeof Letter>): boolean =>
  id.startsWith('bad') && note !== 'good'
const mail = handler('mail', { retry: { attempts: 1 } }, (on) => [
  on(Post.Written, (data) => {
    if (fails(data)) throw Object.assign(new Error(`no address ${data.id}`), { code: 'NO_ADDRESS' })
  }),
])
const shelf = projection(
  'shelf',
  { by: 'id', row: tool<{ note: string }>(), retry: { attempts: 1 } },
  (on) => [
    on(Post.Written, (data) => {
      if (fails(data)) throw new Error(`no shelf for ${data.id}`)
      return { note: data.note }
    }),
  ],
)
const ship = handler('ship', {}, (on) => [
  on(Post.Written, ({ id }) => (id.startsWith('slow') ? retryAfter(hours(1)) : undefined)),
])
const reminder = saga('reminder', { by: 'id', initial: 0, sends: [Post.Remind] }, (on) => [
  on(Post.Written, ({ id }, times) =>
    times === 0 ? [become(1), after(hours(1), Post.Remind({ id }))] : [],
  ),
])

const SERVICES = [
  ...talking,
  service('post', { owns: [Post], runs: [letter, mail, shelf, ship, reminder] }),
]
const CONSUMERS = [
  'post/letter',
  'post/mail',
  'post/shelf',
  'post/ship',
  'post/reminder',
  'asker/talk',
]
const TYPES = ['post.Written', 'post.Write', 'asking.Ask', 'telling.Told']
const SLOW_KEYS = 20
const BUSY_KEYS = 50
/** A command of the busy part every so many milliseconds. */
const BUSY_MS = 5
const DEAD_LETTERS_MIN = 40

/** Names and cursors that exist, by the argument that takes them. */
export type KnownNames = Readonly<Record<string, readonly string[]>>

/** A dead letter, and new data for it. */
export interface KnownLetter {
  readonly consumer: string
  readonly id: string
  readonly key: string
  readonly data: string
}

export interface AdminScenario extends AsyncDisposable {
  readonly app: App
  readonly origin: string
  readonly token: string
  /** What the app and the server have reported: there should be nothing. */
  readonly faults: readonly string[]
  /** Resumes what is paused, fills up the dead letters, and waits until nobody works on letters. */
  prepare(): Promise<void>
  names(): Promise<KnownNames>
  letters(): Promise<readonly KnownLetter[]>
  /** Everything that a write would change. The busy part changes none of it. */
  writtenState(): Promise<string>
  /** Entries of the audit trail, ever. */
  writes(): Promise<number>
}

/** A handler that is put before the operator API, to plant a defect. */
export type Defect = (app: App) => HttpHandler

/** Serves it on a free port, from data in the directory. */
export async function openAdminScenario(directory: string, plant?: Defect): Promise<AdminScenario> {
  const faults: string[] = []
  const app = await start(SERVICES, embedded({ directory }), {
    engine: { retryDelayMs: 2 },
    onRuleError: () => undefined,
    onBackendError: (part, cause) => faults.push(`${part}: ${String(cause)}`),
  })
  const onError = (id: string, cause: unknown): unknown => faults.push(`${id}: ${String(cause)}`)
  const served = await serveApp(app, onError, plant)
  const closing = new AbortController()
  const { signal } = closing
  const isBusy = keepBusy(app, signal).catch((cause: unknown) =>
    faults.push(`busy: ${String(cause)}`),
  )
  for (let at = 0; at < SLOW_KEYS; at += 1)
    await app.append([Post.Written({ id: `slow-${at}`, note: 'a' })])
  let written = 0
  const write = async (count: number): Promise<void> => {
    for (const last = written + count; written < last; written += 1) {
      await app.send(Post.Write({ id: `bad-${written}`, note: 'a' }), { id: `write-${written}` })
      // Waits behind the first one.
      await app.send(Post.Write({ id: `bad-${written}`, note: 'b' }), { id: `later-${written}` })
    }
  }
  return {
    app,
    origin: served.origin,
    token: served.token,
    faults,
    async prepare() {
      for (const name of (await app.health()).paused) await app.resume(name)
      await lettersAtRest(app)
      const dead = (await allDeadLetters(app)).length
      if (dead < DEAD_LETTERS_MIN) await write(Math.ceil((DEAD_LETTERS_MIN - dead) / 2))
      await lettersAtRest(app)
    },
    names: () => knownNames(app),
    letters: async () => (await allDeadLetters(app)).map(knownLetter),
    writtenState: () => writtenState(app),
    writes: async () => (await newestAudit(app))[0]?.sequence ?? 0,
    async [Symbol.asyncDispose]() {
      closing.abort()
      await isBusy
      await served.close()
      await app.stop()
    },
  }
}

interface Served {
  readonly origin: string
  readonly token: string
  close(): Promise<void>
}

async function serveApp(app: App, onError: OnError, plant?: Defect): Promise<Served> {
  if (!plant) {
    const { gateway: origin, page, close } = await serve(app, { port: 0, onError })
    return { origin, token: new URL(page).hash.replace('#token=', ''), close }
  }
  const [token, closing] = ['a-token', new AbortController()]
  const handlers = [plant(app), admin(app, { token, onError, signal: closing.signal })]
  const { url: origin, close } = await listen(handlers, { port: 0, onError })
  return { origin, token, close: () => (closing.abort(), close()) }
}

async function keepBusy(app: App, signal: AbortSignal): Promise<void> {
  for (let at = 0; !signal.aborted; at += 1) {
    await app.send(Asking.Ask({ id: `busy-${at % BUSY_KEYS}` }), { id: `ask-${at}` })
    await sleep(BUSY_MS)
  }
}

/** Resolves once the only letters that are pending wait behind dead ones, or for the hour of `ship`. */
async function lettersAtRest(app: App): Promise<void> {
  for (;;) {
    const status = (await app.status()).filter(({ consumer }) => consumer.startsWith('post/'))
    const pending = status
      .filter(({ consumer }) => consumer !== 'post/ship')
      .reduce((sum, each) => sum + each.pending, 0)
    const behind = (await allDeadLetters(app)).reduce((sum, each) => sum + each.heldBehind, 0)
    if (status.every(({ lag }) => lag === 0) && pending === behind) return
    await new Promise(setImmediate)
  }
}

async function allDeadLetters(app: App): Promise<readonly DeadLetterEntry[]> {
  const letters: DeadLetterEntry[] = []
  let after: string | undefined
  do {
    const from = after === undefined ? {} : { after }
    const { items, next } = await app.deadLetters.list({ limit: 1_000, ...from })
    letters.push(...items)
    after = next
  } while (after !== undefined)
  return letters
}

function knownLetter({ consumer, key, event: { id } }: DeadLetterEntry, at: number): KnownLetter {
  const note = at % 2 === 0 ? 'good' : 'another'
  return { consumer, id, key, data: JSON.stringify({ id: key, note }) }
}

async function knownNames(app: App): Promise<KnownNames> {
  const system = systemOf(app)
  const { items, next } = await app.deadLetters.list({ limit: 30 })
  const causes = await app.deadLetters.causes()
  const pages = await Promise.all([
    app.heldKeys({ limit: 2 }),
    app.sagas({ limit: 2 }),
    app.timers({ limit: 2 }),
    app.operations({ limit: 2 }),
    runVerb(system, 'audit', { limit: 2 }) as Promise<ListPage<AuditEntry>>,
    runVerb(system, 'ledger', { limit: 2 }) as Promise<ListPage<unknown>>,
  ])
  const ids = items.map(({ event: { id } }) => id)
  const keys = [...items.map(({ key }) => key), 'slow-1', 'busy-1']
  const notes = ['good', 'a', 'x'.repeat(21)]
  return {
    service: SERVICES.map(({ name }) => name),
    topic: system.catalog.topics.map(({ name }) => name),
    event: [...ids, 'write-1', 'ask-1'],
    id: ids,
    key: keys,
    consumer: CONSUMERS,
    saga: ['post/reminder', 'asker/talk'],
    type: TYPES,
    cause: causes.map(({ cause }) => cause),
    operation: ['write-1', 'ask-1'],
    state: ['pending', 'completed', 'refused', 'failed', 'silent'],
    status: ['FAILED', 'RETRY', 'COMPLETED', 'UNPROCESSED'],
    view: ['inbound', 'request', 'response'],
    verb: ['pause', 'dead-edit', 'dead-redrive'],
    text: ['bad-1', 'busy-1', 'ask-1', ...ids],
    after: [next, ...pages.map((page) => page.next)].filter((each) => each !== undefined),
    data: keys.flatMap((id) => notes.map((note) => JSON.stringify({ id, note }))),
  }
}

async function newestAudit(app: App): Promise<readonly AuditEntry[]> {
  const page = (await runVerb(systemOf(app), 'audit', { limit: 1 })) as ListPage<AuditEntry>
  return page.items
}

async function writtenState(app: App): Promise<string> {
  const status = (await app.status()).filter(({ consumer }) => consumer.startsWith('post/'))
  const { paused } = await app.health()
  const letters = await allDeadLetters(app)
  return JSON.stringify({ paused, audit: await newestAudit(app), status, letters }, undefined, 1)
}
