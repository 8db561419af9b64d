// The page in a real browser with the real shop: a replay runs, a service is paused and resumed, an
// order from outside is followed to its end. Skipped without a Chromium.
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import type { Overview } from '../../src/admin/wire.ts'
import { browserPath, openBrowser, violationsOf } from './browser.ts'
import { walk } from './keyboard-walk.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const skip = browserPath === undefined ? 'no Chromium is here: name one by CHROMIUM' : false
const run = promisify(execFile)

let browser: Browser
before(async () => {
  if (skip) return
  await run(process.execPath, [join(root, 'tools/page.ts')], { cwd: root })
  browser = await openBrowser()
})
after(() => browser?.close())

interface Listening {
  readonly gateway: string
  readonly page: string
}

/** The shop with a replay that lasts longer than the test. */
async function launchShop(directory: string): Promise<{ shop: ChildProcess; at: Listening }> {
  const main = join(root, 'examples/shop/main.ts')
  const args = [main, '--json', '--port', '0', '--rate', '12', '--data', join(directory, 'data')]
  const shop = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  for await (const line of createInterface({ input: shop.stdout }))
    return { shop, at: JSON.parse(line) as Listening }
  throw new Error('the shop ended before it listened')
}

/** Polls until a condition holds: the page updates itself without an event to wait for. */
async function until(page: Page, isSo: () => Promise<boolean>, what: string): Promise<void> {
  for (let look = 0; look < 600; look += 1) {
    if (await isSo()) return
    await page.waitForTimeout(50)
  }
  assert.fail(`it did not come to this: ${what}`)
}

describe('the page of a running shop', { skip }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline page '))
  const problems: string[] = []
  let shop: ChildProcess
  let at: Listening
  let page: Page

  before(async () => {
    ;({ shop, at } = await launchShop(directory))
    page = await browser.newPage({ viewport: { width: 1_440, height: 900 }, bypassCSP: true })
    await page.addInitScript("localStorage.setItem('throughline-by', 'ada')")
    page.on('pageerror', ({ message }) => void problems.push(message))
    page.on('console', (line) => {
      if (line.type() === 'error') problems.push(line.text())
    })
    page.on('request', (request) => {
      if (!request.url().startsWith(at.gateway)) problems.push(`it asked for ${request.url()}`)
    })
    await page.goto(at.page)
    await page.locator('.card').first().waitFor()
  })
  after(async () => {
    const ended = new Promise((resolve) => void shop.once('exit', resolve))
    shop.kill('SIGINT')
    await ended
    rmSync(directory, { recursive: true })
  })

  const overview = async (): Promise<Overview> =>
    (await (await fetch(`${at.gateway}/admin/overview`)).json()) as Overview
  const delivery = async () =>
    (await overview()).services.find(({ name }) => name === 'delivery') ??
    assert.fail('no delivery')

  test('shows every service, and the map moves with the flow', async () => {
    assert.deepEqual((await page.locator('.card-name').allTextContents()).toSorted(), [
      'account',
      'delivery',
      'inventory',
      'ordering',
      'payment',
    ])
    await page.locator('.flow-beads').first().waitFor({ state: 'attached' })
    const newest = page.locator('.newest .event-line').first()
    const before = await newest.textContent()
    await until(page, async () => (await newest.textContent()) !== before, 'new events come in')
    await until(
      page,
      async () =>
        (await page.locator('.card-rate').allTextContents()).some((text) => /[1-9]/.test(text)),
      'a service shows its rate',
    )
  })

  test('pauses a service, whose lag grows, and resumes it, which reduces the lag', async () => {
    await page.goto(`${at.gateway}/page/#/service/delivery`)
    await page.getByRole('button', { name: 'Pause delivery' }).click()
    await page.locator('.card[data-state="paused"]').waitFor()
    await until(page, async () => (await delivery()).lag >= 5, 'delivery lags behind')
    await page.locator('.card[data-state="paused"] .intake-lag').first().waitFor()
    assert.ok((await delivery()).ageMs > 0)
    await page.getByRole('button', { name: 'Resume delivery' }).click()
    await page.locator('.card[data-state="paused"]').waitFor({ state: 'detached' })
    await until(page, async () => (await delivery()).lag <= 2, 'delivery has caught up')
    await page.keyboard.press('Escape')
  })

  test('finds an order that was sent by curl, and shows its outcome', async () => {
    const body = {
      customerId: '17850',
      country: 'France',
      lines: [{ sku: '85123A', quantity: 6, unitPrice: 2.55 }],
    }
    const headers = ['-H', 'content-type: application/json', '-H', 'idempotency-key: by-curl']
    const { stdout } = await run('curl', [
      '-si',
      `${at.gateway}/orders`,
      ...headers,
      '-d',
      JSON.stringify(body),
    ])
    assert.match(stdout, /^HTTP\/1\.1 202 /)
    await fetch(`${at.gateway}/operations/ordering.ConfirmOrder:by-curl?wait=20`)
    await page.keyboard.press('/')
    await page.keyboard.type('ordering.ConfirmOrder:by-curl')
    await page.keyboard.press('Enter')
    await page.locator('.outcome').getByText('Completed').waitFor()
    const steps = await page.locator('.step-type').allTextContents()
    assert.equal(steps[0], 'CONFIRM_ORDER')
    assert.ok(steps.includes('DELIVERY_SCHEDULED_SUCCESS'), steps.join())
  })

  test('has no accessibility violations, at two widths and in both themes', async () => {
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1_440, 375]) {
        await page.setViewportSize({ width, height: 812 })
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        assert.deepEqual(await violationsOf(page), [], `${colorScheme} at ${width}`)
      }
    await page.keyboard.press('Escape')
    assert.deepEqual(await violationsOf(page), [])
    const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
    assert.equal(await page.evaluate(isWide), false, 'it scrolls sideways')
  })

  test('logs no error, and sends no request to another origin', () => {
    assert.deepEqual(problems, [])
  })
})

test(
  'the page works by keyboard alone, and does not animate with reduced motion',
  { skip },
  async () => {
    assert.deepEqual(await walk(browser), [])
  },
)
