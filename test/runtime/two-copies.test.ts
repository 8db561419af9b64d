// Two copies of the package in one process, as with two versions in a monorepo: whatever one of them
// has made and the other is given is named as such, at every entry; faults of one are faults to both.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as index from 'throughline'
import { serve } from 'throughline/admin'
import { fetchHandler, gateway, reject, route } from 'throughline/gateway'
import { given, memory, simulate } from 'throughline/testing'
import { z } from 'zod'
import { VERSION } from '../../src/base/package-copy.ts'

type Index = typeof index
interface Other {
  readonly index: Index
  readonly testing: { readonly memory: typeof memory }
  readonly gateway: { readonly reject: typeof reject }
}

const root = fileURLToPath(new URL('../..', import.meta.url))
let place: string
let other: Other

before(async () => {
  mkdirSync(join(root, 'dist'), { recursive: true })
  place = mkdtempSync(join(root, 'dist', 'two-copies-'))
  cpSync(join(root, 'src'), join(place, 'src'), { recursive: true })
  const load = (file: string): Promise<never> =>
    import(pathToFileURL(join(place, 'src', file)).href) as Promise<never>
  other = {
    index: await load('index.ts'),
    testing: await load('testing/index.ts'),
    gateway: await load('gateway/index.ts'),
  }
})
after(() => rmSync(place, { recursive: true }))

const Id = z.object({ id: z.string() })

function bells({ command, contract, entity, event, service }: Index) {
  const Bell = contract('bell', { key: 'id' }, { Ring: command(Id), Rang: event(Id) })
  const bell = entity(
    'bell',
    { of: Bell, id: 'id', initial: {} },
    {
      decide: (on) => [on(Bell.Ring, (asked) => Bell.Rang(asked))],
      evolve: (on) => [on(Bell.Rang, () => ({}))],
    },
  )
  return { Bell, bell, tower: service('tower', { owns: [Bell], runs: [bell] }) }
}

function named(...paths: readonly string[]): (thrown: unknown) => boolean {
  return (thrown) => {
    const { code, message, issues } = thrown as index.Fault
    assert.equal(code, 'TWO_COPIES', message)
    assert.deepEqual(
      issues.map(({ path }) => path),
      paths,
    )
    for (const copy of [place, 'src/base/package-copy.ts', VERSION])
      assert.ok(message.includes(copy))
    return true
  }
}

describe('values of another copy of the package are refused', () => {
  test('by start: a service, its contract, and its rule', async () => {
    const { tower } = bells(other.index)
    const all = named('tower', 'owns of tower', 'tower/bell')
    await assert.rejects(index.start([tower], memory()), all)
  })

  test('by start: a contract in a service of this copy, and one elsewhere', async () => {
    const { Bell, bell } = bells(other.index)
    const tower = index.service('tower', { owns: [Bell], runs: [bell] })
    const remote = [Bell]
    const all = named('owns of tower', 'tower/bell', 'remote[0]')
    await assert.rejects(index.start([tower], memory(), { remote }), all)
  })

  test('by given', () => {
    const { bell } = bells(other.index)
    assert.throws(() => given(bell), named('bell'))
  })

  test('by simulate', async () => {
    const { tower } = bells(other.index)
    await assert.rejects(
      simulate([tower], { seed: 1 }),
      named('tower', 'owns of tower', 'tower/bell'),
    )
  })

  test('by route, gateway and serve', async () => {
    const { Bell, tower } = bells(other.index)
    assert.throws(() => route.command('POST', '/ring', Bell.Ring), named('POST /ring'))
    const app = await other.index.start([tower], other.testing.memory())
    try {
      assert.throws(() => gateway(app, { expose: [Bell] }), named('app', 'expose[0]'))
      await assert.rejects(serve(app, { port: 0 }), named('app'))
    } finally {
      await app.stop()
    }
  })
})

test('a fault of another copy is a fault', async () => {
  const { tower } = bells(index)
  const thrown = await other.index.start([tower], memory()).catch((cause: unknown) => cause)
  assert.ok(thrown instanceof index.Fault && thrown instanceof other.index.Fault)
  assert.ok(thrown instanceof Error)
  const unknown = Object.assign(Object.create(other.index.Fault.prototype), { code: 'NEWER' })
  assert.equal(unknown instanceof index.Fault, false, 'its code is not known here')
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  for (const value of [undefined, null, 'Fault', {}, new Error('Fault'), proxy])
    assert.equal(value instanceof index.Fault, false)
})

test('a route may reject with a value of another copy', async () => {
  const { Bell, tower } = bells(index)
  const app = await index.start([tower], memory())
  const map = () => other.gateway.reject([{ path: 'id', message: 'is no' }])
  const routes = [route.command('POST', '/ring', Bell.Ring, { map })]
  const handle = fetchHandler(gateway(app, { routes }))
  const headers = { 'content-type': 'application/json' }
  const asked = new Request('http://bell/ring', { method: 'POST', headers, body: '{"id":"a"}' })
  const answer = await handle(asked)
  await app.stop()
  assert.equal(answer.status, 400)
  assert.match(await answer.text(), /is no/)
})

test('the version of a copy is that of package.json', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  assert.equal(VERSION, manifest.version)
})
