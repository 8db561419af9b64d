// The admin API and its access rules, over real sockets, with the memory backend.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { App, HealthReport } from 'throughline'
import { start } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { serve } from 'throughline/admin'
import { embedded } from 'throughline/embedded'
import { memory } from 'throughline/testing'
import { probeRoutes } from '../../src/admin/probe-routes.ts'
import type { ChainView, EventView, LedgerRow, ListPage, Overview } from '../../src/admin/wire.ts'
import type { System } from '../../src/control/system.ts'
import { Asking, talking } from '../control/talking-services.ts'

let app: App
let served: AppServer
let token: string

before(async () => {
  app = await start(talking, memory())
  let looks = 0
  const states = async (): Promise<Record<string, number>> => ({ looks: (looks += 1) })
  const broken = async (): Promise<never> => {
    throw new Error('out of chalk')
  }
  const boards = [
    { title: 'Looks', states },
    { title: 'Broken', states: broken },
  ]
  served = await serve(app, { port: 0, expose: [Asking], boards })
  token = new URL(served.page).hash.replace('#token=', '')
  await app.send(Asking.Ask({ id: 'a' }), { id: 'ask-a' })
  await app.settled()
})
after(async () => {
  await served.close()
  await app.stop()
})

const get = (path: string, headers = {}): Promise<Response> =>
  fetch(`${served.gateway}${path}`, { headers, redirect: 'manual' })
const json = async <T>(path: string): Promise<T> => (await (await get(path)).json()) as T
const write = (path: string, headers: Record<string, string>): Promise<Response> =>
  fetch(`${served.gateway}${path}`, { method: 'POST', headers })

describe('the admin API', () => {
  test('returns the overview with the boards', async () => {
    const { services, boards, ack } = await json<Overview>('/admin/overview')
    assert.deepEqual(
      services.map(({ name }) => name),
      ['asker', 'teller'],
    )
    assert.equal(ack, 'memory')
    assert.equal(boards[0]?.title, 'Looks')
  })

  test('returns the overview if a board throws, with its error', async () => {
    const { boards } = await json<Overview>('/admin/overview')
    assert.deepEqual(boards[1], { title: 'Broken', states: [], error: 'out of chalk' })
  })

  test('reads the boards once for concurrent requests', async () => {
    const looks = async (): Promise<number | undefined> =>
      (await json<Overview>('/admin/overview')).boards[0]?.states[0]?.count
    const seen = await Promise.all(Array.from({ length: 20 }, looks))
    assert.ok(new Set(seen).size <= 2, seen.join())
  })

  test('lists the newest messages of all topics and of one', async () => {
    const all = await json<EventView[]>('/admin/events?limit=3')
    assert.equal(all.length, 3)
    const one = await json<ListPage<EventView>>('/admin/topics/asking.commands/events?limit=3')
    assert.deepEqual(
      one.items.map(({ id }) => id),
      ['ask-a'],
    )
    assert.equal((await get('/admin/topics/none/events')).status, 404)
    for (const limit of ['0', 'x', '1.5', '-1', ''])
      for (const path of ['/admin/events', '/admin/topics/asking.commands/events'])
        assert.equal((await get(`${path}?limit=${limit}`)).status, 400, limit)
  })

  test('returns the chain of a message', async () => {
    const { events, operation } = await json<ChainView>('/admin/chain/ask-a')
    assert.equal(events.length, 4)
    assert.deepEqual(operation, { status: 'completed', kind: 'completed' })
    assert.deepEqual(
      events.map(({ consumers = [] }) =>
        consumers.map(({ consumer, status }) => [consumer, status]),
      ),
      [
        [['asker/question', 'COMPLETED']],
        [['asker/talk', 'COMPLETED']],
        [['teller/answer', 'COMPLETED']],
        [['asker/talk', 'COMPLETED']],
      ],
    )
    assert.equal((await get('/admin/chain/none')).status, 404)
  })

  test('returns each view of the ledger, and refuses filters of another one', async () => {
    const [row] = (await json<ListPage<LedgerRow>>('/admin/ledger?view=inbound')).items
    assert.deepEqual([row?.EVENT_ID, row?.STATUS], ['ask-a', 'COMPLETED'])
    const bodies = await json<ListPage<object>>('/admin/ledger?view=payload&event=ask-a&limit=1')
    assert.partialDeepStrictEqual(bodies.items, [{ EVENT_ID: 'ask-a', PAYLOAD: '{"id":"a"}' }])
    const kept = await json<ListPage<object>>('/admin/ledger?view=working_data')
    assert.deepEqual(kept, { items: [] })
    for (const query of [
      'view=none',
      'view=constructor',
      'view=payload&consumer=asker%2Ftalk',
      'view=working_data&event=ask-a',
      'view=working_data&after=1%3Ax',
      'view=payload&after=x',
      'topic=asking.commands',
      'status=DONE',
      'after=x',
    ])
      assert.equal((await get(`/admin/ledger?${query}`)).status, 400, query)
  })

  test('streams history, overview and newest events', async () => {
    const response = await get('/admin/stream')
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    let heard = ''
    for await (const part of response.body ?? []) {
      heard += Buffer.from(part as Uint8Array).toString()
      if (heard.includes('event: newest')) break
    }
    assert.match(heard, /event: history\ndata: \[/)
    assert.match(heard, /event: overview\ndata: \{"at":/)
  })
})

describe('a write', () => {
  const path = '/admin/services/teller/pause'

  test('without the token is refused', async () => {
    for (const authorization of ['', 'Bearer', 'Bearer x', `Basic ${token}`, token])
      assert.equal((await write(path, { authorization })).status, 401)
    assert.deepEqual((await app.health()).paused, [])
  })

  test('from a page of another origin is refused, even with the token', async () => {
    const authorization = `Bearer ${token}`
    for (const origin of ['https://evil.example', 'null', `${served.gateway}0`])
      assert.equal((await write(path, { authorization, origin })).status, 403, origin)
    assert.deepEqual((await app.health()).paused, [])
  })

  test('pauses and resumes a service, and answers 404 for an unknown one', async () => {
    const name = { 'throughline-by': 'ada' }
    const headers = { authorization: `Bearer ${token}`, origin: served.gateway, ...name }
    assert.equal((await write(path, headers)).status, 204)
    assert.deepEqual((await app.health()).paused, ['teller'])
    assert.equal((await write('/admin/services/teller/resume', headers)).status, 204)
    assert.deepEqual((await app.health()).paused, [])
    assert.equal((await write('/admin/services/none/pause', headers)).status, 404)
    assert.equal((await get(path)).status, 405)
  })
})

describe('the page', () => {
  test('is the target of the root, and allows no foreign resources', async () => {
    const root = await get('/')
    assert.equal(root.headers.get('location'), '/page/')
    // Not cached: another program may use this port later.
    assert.deepEqual([root.status, root.headers.get('cache-control')], [307, 'no-store'])
    const page = await get('/page/')
    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'self';/)
    assert.equal(page.headers.get('x-frame-options'), 'DENY')
    const [, script = ''] = /src="([^"]+\.js)"/.exec(await page.text()) ?? []
    const asset = await get(script)
    assert.equal(asset.status, 200)
    assert.match(asset.headers.get('cache-control') ?? '', /immutable/)
  })

  test('serves no file outside of its folder', async () => {
    for (const path of [
      '/page/../package.json',
      '/page/%2e%2e/%2e%2e/package.json',
      '/page/.built',
    ])
      assert.equal((await get(path)).status, 404, path)
  })
})

test('a request with a foreign Host header is refused', async () => {
  const { port } = new URL(served.gateway)
  const { request } = await import('node:http')
  const status = await new Promise((resolve, reject) => {
    const headers = { host: 'evil.example' }
    request({ port, host: '127.0.0.1', path: '/admin/overview', headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
  assert.equal(status, 421)
})

test('the page gets the token of the data directory', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline admin '))
  const kept = await start(talking, embedded({ directory: join(directory, 'data') }))
  const { page, close } = await serve(kept, { port: 0 })
  const file = readFileSync(join(directory, 'data', 'token'), 'utf8').trim()
  assert.equal(new URL(page).hash, `#token=${file}`)
  await close()
  await kept.stop()
  rmSync(directory, { recursive: true })
})

test('a host other than loopback needs a token', async () => {
  await assert.rejects(serve(app, { port: 0, host: '0.0.0.0' }), { code: 'OPTION_INVALID' })
})

test('a busy port is reported with its number', async () => {
  const port = Number(new URL(served.gateway).port)
  await assert.rejects(serve(app, { port }), { code: 'PORT_BUSY', message: new RegExp(`${port}`) })
})

describe('a probe', () => {
  test('distinguishes a live process from a working system', async () => {
    const alive = await get('/admin/alive')
    assert.deepEqual([alive.status, await alive.json()], [200, { status: 'alive' }])
    const health = await get('/admin/health')
    assert.equal(health.status, 200)
    assert.equal(((await health.json()) as { status: string }).status, 'well')
  })

  for (const [state, httpStatus] of [
    ['degraded', 200],
    ['paused', 200],
    ['failing', 503],
  ] as const)
    test(`of a ${state} system answers ${httpStatus}, with the state in the body`, async () => {
      const health = async (): Promise<HealthReport> => ({ ...(await app.health()), status: state })
      const [, route] = probeRoutes({ health } as System)
      const answer = await route?.run({} as never)
      assert.equal(answer?.status, httpStatus)
      const body = (await answer?.json()) as { status: string } | undefined
      assert.equal(body?.status, state)
    })
})
