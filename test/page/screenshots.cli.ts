// Takes screenshots of the built page with the fake server, checks each with axe, and uses the page by
// keyboard.
//
//   node tools/node.mjs tools/page.ts
//   node tools/node.mjs test/page/screenshots.cli.ts FOLDER [desk small hand states walk light dark]
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, violationsOf } from './browser.ts'
import type { Scene, FakeServer } from './fake-server.cli.ts'
import { startFakeServer } from './fake-server.cli.ts'
import { walk } from './keyboard-walk.ts'

const [folder, ...only] = process.argv.slice(2)
if (!folder) throw new Error('Name the folder for the screenshots')
mkdirSync(folder, { recursive: true })

const SIZES = {
  desk: { width: 1_440, height: 900 },
  small: { width: 1_280, height: 800 },
  hand: { width: 375, height: 812 },
} as const
let issues = 0

async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(folder as string, `${name}.png`) })
  const violations = await violationsOf(page)
  issues += violations.length
  for (const sentence of violations) process.stdout.write(`${name}: ${sentence}\n`)
}

/** Waits for some seconds of the shop's own time. */
async function settle(page: Page, shop: FakeServer, seconds: number): Promise<void> {
  const until = shop.world.at + seconds * 1_000
  while (shop.world.at < until) await page.evaluate('new Promise(requestAnimationFrame)')
}

async function tour(browser: Browser, size: keyof typeof SIZES, theme: 'light' | 'dark') {
  const shop = await startFakeServer()
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme: theme,
    bypassCSP: true,
    deviceScaleFactor: size === 'hand' ? 2 : 1,
  })
  const page = await context.newPage()
  page.on('pageerror', (error) => process.stdout.write(`page error: ${error.message}\n`))
  page.on('console', (line) => {
    if (line.type() === 'error') process.stdout.write(`console: ${line.text()}\n`)
  })
  const name = (what: string): string => `${size}-${theme}-${what}`
  await page.goto(`${shop.url}/page/#token=${shop.token}`)
  shop.pace = 20
  await settle(page, shop, 130)
  shop.pace = 1
  await settle(page, shop, 4)
  await shoot(page, name('map'))
  await page.getByRole('button', { name: '1 h' }).click()
  await settle(page, shop, 2)
  await shoot(page, name('hour'))
  await page.evaluate('scrollTo(0, 0)')
  await page.locator('[data-opens="service:inventory"]').click()
  await settle(page, shop, 1)
  await shoot(page, name('service'))
  await page.getByRole('button', { name: 'Pause inventory' }).click()
  shop.pace = 6
  await settle(page, shop, 18)
  shop.pace = 1
  await settle(page, shop, 4)
  await page.keyboard.press('Escape')
  await settle(page, shop, 1)
  await shoot(page, name('paused'))
  await page.locator('[data-opens="service:inventory"]').click()
  await settle(page, shop, 1)
  await shoot(page, name('paused-service'))
  await page.keyboard.press('Escape')
  await chains(page, shop, name)
  await page.goto(`${shop.url}/page/#/topic/payment.events`)
  await settle(page, shop, 2)
  await shoot(page, name('topic'))
  const fold = page.locator('.filter-fold > summary')
  if (await fold.isVisible()) await fold.click()
  await page.getByLabel('Type').fill('error')
  await page.keyboard.press('Enter')
  await settle(page, shop, 1)
  await shoot(page, name('topic-filtered'))
  for (const list of ['ledger', 'operations', 'sagas', 'timers']) {
    await page.goto(`${shop.url}/page/#/${list}`)
    await settle(page, shop, 2)
    await shoot(page, name(list))
  }
  const key = shop.world.events.at(-1)?.key ?? ''
  await page.goto(`${shop.url}/page/#/find/${encodeURIComponent(key)}`)
  await settle(page, shop, 2)
  await shoot(page, name('find'))
  const pending = shop.world.events.findLast(({ source, id }) => {
    return source === 'door' && !shop.world.outcomes.has(id)
  })
  await page.goto(`${shop.url}/page/#/event/${pending?.id}`)
  await settle(page, shop, 1)
  await shoot(page, name('chain-pending'))
  await context.close()
  await shop.close()
}

/** A completed conversation, and one that was rolled back, with its data open. */
async function chains(page: Page, shop: FakeServer, name: (what: string) => string): Promise<void> {
  const outcomes = [...shop.world.outcomes].toReversed()
  const find = (is: string, reason?: string): string =>
    outcomes.find(
      ([id, one]) => one.status === is && one.reason === reason && !id.includes(' '),
    )?.[0] ?? ''
  await page.goto(`${shop.url}/page/#/event/${find('completed')}`)
  await settle(page, shop, 2)
  await shoot(page, name('chain'))
  await page.goto(`${shop.url}/page/#/event/${find('rolled-back', 'out-of-stock')}`)
  await settle(page, shop, 2)
  await page.locator('.step-head').nth(2).click()
  await settle(page, shop, 1)
  await shoot(page, name('chain-undone'))
}

/** Held keys at both widths: the overview, the list, and a conversation with a held message. */
async function stuck(browser: Browser, theme: 'light' | 'dark'): Promise<void> {
  for (const size of ['desk', 'hand'] as const) {
    const shop = await startFakeServer({ scene: 'failing' })
    const context = await browser.newContext({
      viewport: SIZES[size],
      colorScheme: theme,
      bypassCSP: true,
    })
    const page = await context.newPage()
    await page.goto(`${shop.url}/page/`)
    shop.pace = 20
    await settle(page, shop, 60)
    shop.pace = 1
    await settle(page, shop, 2)
    await shoot(page, `${size}-${theme}-stuck`)
    await page.goto(`${shop.url}/page/#/held`)
    await settle(page, shop, 1)
    await page.locator('.item-more summary').first().click()
    await shoot(page, `${size}-${theme}-held`)
    await page.goto(`${shop.url}/page/#/ledger?status=RETRY`)
    await settle(page, shop, 1)
    await shoot(page, `${size}-${theme}-ledger-retry`)
    const event = [...shop.world.held.values()].at(-1)?.[0]
    await page.goto(`${shop.url}/page/#/event/${event?.id}`)
    await settle(page, shop, 2)
    await shoot(page, `${size}-${theme}-chain-held`)
    await context.close()
    await shop.close()
  }
}

/** The unusual states: held keys, an empty system, a failing one, a lost connection. */
async function states(browser: Browser, theme: 'light' | 'dark'): Promise<void> {
  await stuck(browser, theme)
  for (const scene of ['empty', 'failing'] satisfies Scene[]) {
    const shop = await startFakeServer({ scene })
    const context = await browser.newContext({
      viewport: SIZES.desk,
      colorScheme: theme,
      bypassCSP: true,
    })
    const page = await context.newPage()
    await page.goto(`${shop.url}/page/`)
    shop.pace = 20
    await settle(page, shop, 60)
    shop.pace = 1
    await settle(page, shop, 3)
    await shoot(page, `desk-${theme}-${scene}`)
    if (scene === 'failing') {
      await page.locator('[data-opens="service:inventory"]').click()
      await page.getByRole('button', { name: 'Pause inventory' }).click()
      await page.locator('dialog').waitFor()
      await shoot(page, `desk-${theme}-token`)
      await page.keyboard.press('Escape')
      await shop.close()
      await page.locator('.banner[data-is="lost"]').waitFor()
      await shoot(page, `desk-${theme}-lost`)
    } else await shop.close()
    await context.close()
  }
}

const browser = await openBrowser()
const parts = only.filter((name) => name !== 'light' && name !== 'dark')
const isWanted = (name: string): boolean => parts.length === 0 || parts.includes(name)
for (const theme of ['light', 'dark'] as const) {
  if (only.includes(theme === 'light' ? 'dark' : 'light')) continue
  for (const size of ['desk', 'small', 'hand'] as const)
    if (isWanted(size)) await tour(browser, size, theme)
  if (isWanted('states')) await states(browser, theme)
}
if (isWanted('walk'))
  for (const sentence of await walk(browser)) {
    issues += 1
    process.stdout.write(`walk: ${sentence}\n`)
  }
await browser.close()
process.stdout.write(`${issues} failures\n`)
process.exitCode = issues > 0 ? 1 : 0
