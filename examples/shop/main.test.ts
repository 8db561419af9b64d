import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { differencesOf, imbalancesOf } from './check-books.ts'
import { booksOfFile } from './oracle.ts'
import { readOptions } from './run/options.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const excerpt = fileURLToPath(new URL('data/orders.csv', import.meta.url))
// A space in every path, since users have them.
const root = mkdtempSync(join(tmpdir(), 'the shop '))
const [header, ...rows] = readFileSync(excerpt, 'utf8').split('\n')
/** Where it does not matter what is sold. */
const few = ['--orders', 'few.csv']
writeFileSync(join(root, 'few.csv'), [header, ...rows.slice(0, 20)].join('\n'))
after(() => rmSync(root, { recursive: true }))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

function launch(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { cwd: root })
  let [out, errors] = ['', '']
  const watchers = new Set<() => void>()
  const note = (): void => {
    for (const look of watchers) look()
  }
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    note()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
    note()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, out, errors }))
  })
  return {
    child,
    ended,
    out: () => out,
    /** Resolves once its errors, where progress goes, hold a text. */
    said: (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = (): void => {
          if (errors.includes(text)) resolve()
        }
        watchers.add(look)
        look()
        void ended.then(() => reject(new Error(`it ended without saying ${text}:\n${errors}`)))
      }),
  }
}

const run = (...args: readonly string[]): Promise<Ended> => launch(args).ended
const summaryIn = ({ out }: Ended): object =>
  JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as object

suite('the shop', { concurrency: 2 }, () => {
  test('settles the excerpt with the totals of the oracle, and does so again after a restart', async () => {
    const books = booksOfFile(excerpt, {})
    const first = await run('--once', '--json', '--data', 'excerpt')
    assert.equal(first.code, 0, first.errors)
    assert.deepEqual(differencesOf(books, summaryIn(first)), [])
    assert.deepEqual(imbalancesOf(summaryIn(first)), [])
    const second = await run('--once', '--json', '--data', 'excerpt')
    assert.equal(second.code, 0)
    assert.match(second.errors, /All orders in excerpt.* had settled already.*--fresh/)
    for (const part of ['orders', 'money', 'stock', 'events'])
      assert.deepEqual(Reflect.get(summaryIn(second), part), Reflect.get(summaryIn(first), part))
  })

  test('balances its books when stock is short', async () => {
    const ended = await run('--once', '--json', '--data', 'scarce', '--stock', '40')
    assert.equal(ended.code, 0, ended.errors)
    const summary = summaryIn(ended) as { orders: { rolledBack: Record<string, number> } }
    assert.deepEqual(imbalancesOf(summary), [])
    assert.ok((summary.orders.rolledBack['out-of-stock'] ?? 0) > 0)
    const books = booksOfFile(excerpt, { startStock: 40 })
    assert.deepEqual(differencesOf(books, summary), [])
  })

  test('continues after a kill: no order is settled twice or lost', async () => {
    const killed = launch(['--once', '--data', 'killed', '--rate', '100'])
    await killed.said('orders ')
    killed.child.kill('SIGKILL')
    await killed.ended
    const ended = await run('--once', '--json', '--data', 'killed')
    assert.equal(ended.code, 0, ended.errors)
    assert.deepEqual(differencesOf(booksOfFile(excerpt, {}), summaryIn(ended)), [])
  })

  test('runs until it is stopped, and prints its totals as a table', async () => {
    const shop = launch(['--data', 'staying', '--port', '0'])
    await shop.said('What to try next')
    const other = await run('--data', 'staying', '--once')
    assert.equal(other.code, 1)
    assert.match(other.errors, new RegExp(`DATA_OWNED.*process ${shop.child.pid}`))
    const fresh = await run('--data', 'staying', '--once', '--fresh')
    assert.equal(fresh.code, 1)
    assert.match(fresh.errors, /DATA_OWNED/)
    assert.ok(existsSync(join(root, 'staying', 'log', 'throughline.db')))
    shop.child.kill('SIGTERM')
    const { code, out } = await shop.ended
    assert.equal(code, 0)
    assert.match(out, /orders completed +327\n/)
    assert.doesNotMatch(out, /\{/)
  })

  test('stops cleanly while orders are being sent', async () => {
    const shop = launch(['--once', '--data', 'stopped', '--rate', '100'])
    await shop.said('orders ')
    shop.child.kill('SIGINT')
    const { code, errors } = await shop.ended
    assert.equal(code, 130)
    assert.match(errors, /Stopped\. Start it again/)
    assert.doesNotMatch(errors, /\n {4}at /)
    const ended = await run('--once', '--json', '--data', 'stopped')
    assert.deepEqual(differencesOf(booksOfFile(excerpt, {}), summaryIn(ended)), [])
  })

  test('refuses a directory of another input, with the cure', async () => {
    assert.equal((await run('--once', '--data', 'fed', ...few)).code, 0)
    const other = await run('--once', '--data', 'fed', '--stock', '7', ...few)
    assert.equal(other.code, 1)
    assert.match(other.errors, /another input or another --stock.*--fresh/)
    const fresh = await run('--once', '--data', 'fed', '--fresh', '--stock', '7', ...few)
    assert.equal(fresh.code, 0, fresh.errors)
  })

  test('deletes only its own data', async () => {
    mkdirSync(join(root, 'mine'))
    writeFileSync(join(root, 'mine', 'thesis.txt'), 'years of work')
    const ended = await run('--once', '--data', 'mine', '--fresh')
    assert.equal(ended.code, 1)
    assert.match(ended.errors, /deletes only a shop's data/)
    assert.equal(readFileSync(join(root, 'mine', 'thesis.txt'), 'utf8'), 'years of work')
  })

  test('answers invalid options with the usage, never with a stack', async () => {
    const wrong = [['--ordres', 'x'], ['--rate', 'fast'], ['--stock', '1.5'], ['orders.csv']]
    for (const args of wrong) {
      const options = readOptions(args, 1)
      assert.ok('print' in options, args.join(' '))
      assert.equal(options.exitCode, 2)
      assert.match(options.print, /Examples:/)
    }
    const { code, errors } = await run('--ordres', 'x')
    assert.equal(code, 2)
    assert.match(errors, /Examples:/)
    assert.doesNotMatch(errors, /\n {4}at /)
    const missing = await run('--once', '--orders', 'nowhere.csv', '--data', 'none')
    assert.equal(missing.code, 1)
    assert.match(missing.errors, /no such file.*nowhere\.csv/)
    assert.doesNotMatch(missing.errors, /\n {4}at /)
    assert.equal((await run('--help')).code, 0)
  })

  test('prints its addresses first, and names a busy port', async () => {
    const shop = launch(['--data', 'listening', '--port', '0', '--json', ...few])
    await shop.said('What to try next')
    const { event, gateway, page } = JSON.parse(shop.out().split('\n')[0] ?? '') as {
      [name: string]: string
    }
    assert.equal(event, 'listening')
    assert.match(page ?? '', /^http:\/\/127\.0\.0\.1:\d+\/page\/#token=/)
    assert.equal((await fetch(`${gateway}/openapi.json`)).status, 200)
    const busy = await run('--once', '--data', 'busy', '--port', new URL(gateway ?? '').port)
    assert.equal(busy.code, 1)
    assert.match(busy.errors, /PORT_BUSY/)
    const order = { customerId: '17850', country: 'France' }
    const placed = await fetch(`${gateway}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...order, lines: [{ sku: 'x', quantity: 1, unitPrice: 1 }] }),
    })
    assert.equal(placed.status, 202)
    shop.child.kill('SIGINT')
    assert.equal((await shop.ended).code, 0)
    // What came by the gateway is in the books, which balance.
    const again = await run('--once', '--json', '--data', 'listening', ...few)
    assert.equal(again.code, 0, again.errors)
    const { orders } = summaryIn(again) as { orders: { read: number } }
    assert.equal(orders.read, booksOfFile(join(root, 'few.csv'), {}).orders.read + 1)
  })
})
