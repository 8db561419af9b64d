// Measures the gateway under load, and fails if it misses its limits.
//
//   npm run bench:gateway -- [--seconds 30] [--connections 200]
//
// 1. A command with one entity rule, synced before each 202, with its consumer running, compared with
//    a bare Fastify route that validates the same body. Every 202 must be settled afterwards.
// 2. The rate of the shop, from the order to its outcome.
// 3. The shop above its capacity: it answers 429, its memory is bounded, and it recovers.
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Load } from './load.ts'
import { countUnsettled, load } from './load.ts'

const LIMITS = { ratioMin: 0.5, ageMsMax: 1_000, rssBytesMax: 512_000_000 } as const
/** A low limit, so that back-pressure starts soon. */
const LAG_EVENTS_MAX = 2_000
/** Multiplies the connections to exceed the capacity. */
const OVERLOAD = 4

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    connections: { type: 'string', default: '200' },
  },
})
const seconds = Number(values.seconds)
const connections = Number(values.connections)
const root = mkdtempSync(join(tmpdir(), 'throughline-bench-'))
const server = fileURLToPath(new URL('server.ts', import.meta.url))
let isWithinLimits = true

function check(what: string, isFine: boolean): void {
  console.log(`${isFine ? 'ok    ' : 'FAILED'}  ${what}`)
  isWithinLimits &&= isFine
}

/** Runs a server during a measurement. */
async function withServer<T>(
  mode: string,
  args: readonly string[],
  measure: (url: string, child: ChildProcess) => Promise<T>,
): Promise<T> {
  const child = fork(server, [mode, join(root, `${mode}-${args.join('-')}`), ...args])
  try {
    const [{ url }] = (await once(child, 'message')) as [{ url: string }]
    return await measure(url, child)
  } finally {
    child.disconnect()
    await once(child, 'exit')
  }
}

async function rssOf(child: ChildProcess): Promise<number> {
  const said = once(child, 'message')
  child.send('memory')
  const [{ rssBytes }] = (await said) as [{ rssBytes: number }]
  return rssBytes
}

interface Service {
  readonly name: string
  readonly lag: number
  readonly ageMs: number
}

async function servicesOf(url: string): Promise<readonly Service[]> {
  const response = await fetch(`${url}/admin/overview`)
  return ((await response.json()) as { services: readonly Service[] }).services
}

const lagOf = async (url: string): Promise<number> =>
  (await servicesOf(url)).reduce((sum, { lag }) => sum + lag, 0)

async function untilDrained(url: string): Promise<void> {
  while ((await lagOf(url)) > 0) await pause(100)
}

const deposit = (at: number): string =>
  JSON.stringify({ accountId: `a-${at % 1_000}`, cents: 1 + (at % 100), note: 'x'.repeat(80) })
const order = (at: number): string =>
  JSON.stringify({
    orderId: `W${at}`,
    customerId: `${at % 1_000}`,
    country: 'France',
    lines: [{ sku: `s-${at % 500}`, quantity: 1, unitPrice: '2.55' }],
  })

const shown = ({ perSecond, p50Ms, p99Ms, statuses }: Load): string =>
  `${Math.round(perSecond)}/s, p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${JSON.stringify(statuses)}`

async function ratio(): Promise<void> {
  const path = '/messages/banking/Deposit'
  const asked = { path, body: deposit, connections, seconds }
  const bare = await withServer('bare', [], (url) => load(url, asked))
  console.log(`bare Fastify    ${shown(bare)}`)
  await withServer('rule', [], async (url) => {
    const whole = await load(url, asked)
    const ageMs = Math.max(...(await servicesOf(url)).map((service) => service.ageMs))
    console.log(`one entity rule ${shown(whole)}, age at the end ${ageMs} ms`)
    const reached = whole.perSecond / bare.perSecond
    check(`${reached.toFixed(2)} of bare Fastify, at least ${LIMITS.ratioMin}`, reached >= 0.5)
    check(`the consumer is at most ${LIMITS.ageMsMax} ms behind`, ageMs <= LIMITS.ageMsMax)
    check('all answers are 202', Object.keys(whole.statuses).join() === '202')
    await untilDrained(url)
    const lost = await countUnsettled(url, 'banking.Deposit', whole.accepted, connections)
    check(`all ${whole.accepted.length} commands are settled`, lost === 0)
  })
}

async function ownRate(): Promise<void> {
  await withServer('shop', [], async (url) => {
    const asked = { path: '/orders', body: order, connections, seconds }
    const begun = performance.now()
    const taken = await load(url, asked)
    await untilDrained(url)
    const perSecond = taken.accepted.length / ((performance.now() - begun) / 1_000)
    console.log(`the shop        ${shown(taken)}; ${Math.round(perSecond)} finished orders/s`)
    const lost = await countUnsettled(url, 'ordering.ConfirmOrder', taken.accepted, connections)
    check(`all ${taken.accepted.length} orders are settled`, lost === 0)
  })
}

async function overload(): Promise<void> {
  await withServer('shop', [String(LAG_EVENTS_MAX)], async (url, child) => {
    let rssBytes = 0
    const looking = new AbortController()
    const looked = (async () => {
      while (!looking.signal.aborted) {
        rssBytes = Math.max(rssBytes, await rssOf(child))
        await pause(250)
      }
    })()
    const asked = { path: '/orders', body: order, connections: connections * OVERLOAD, seconds }
    const taken = await load(url, asked)
    looking.abort()
    await looked
    console.log(`above capacity  ${shown(taken)}, at most ${Math.round(rssBytes / 1e6)} MB`)
    check('some answers are 429', (taken.statuses['429'] ?? 0) > 0)
    check('all answers are 202 or 429', Object.keys(taken.statuses).sort().join() === '202,429')
    check(`at most ${LIMITS.rssBytesMax / 1e6} MB`, rssBytes <= LIMITS.rssBytesMax)
    await untilDrained(url)
    const lost = await countUnsettled(url, 'ordering.ConfirmOrder', taken.accepted, connections)
    check(`all ${taken.accepted.length} orders are settled`, lost === 0)
    // The lag is refreshed by requests, and may be a second old.
    await load(url, { ...asked, connections: 1, seconds: 2, from: 10_000_000 })
    const again = await load(url, { ...asked, connections: 1, seconds: 1, from: 20_000_000 })
    check('it accepts orders again', Object.keys(again.statuses).join() === '202')
  })
}

try {
  await ratio()
  await ownRate()
  await overload()
  process.exitCode = isWithinLimits ? 0 : 1
} finally {
  rmSync(root, { recursive: true, force: true })
}
