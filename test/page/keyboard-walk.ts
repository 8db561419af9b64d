// Uses the page by keyboard alone, under its content security policy, and reports what fails.
import type { Browser, Page } from 'playwright-core'
import { startFakeServer } from './fake-server.cli.ts'

type Complain = (sentence: string) => void

/** The failures, one sentence each; empty if there are none. */
export async function walk(browser: Browser): Promise<readonly string[]> {
  const issues: string[] = []
  const complain: Complain = (sentence) => void issues.push(sentence)
  const shop = await startFakeServer()
  const context = await browser.newContext({ reducedMotion: 'reduce' })
  await context.addInitScript("localStorage.setItem('throughline-by', 'ada')")
  const page = await context.newPage()
  page.on('pageerror', ({ message }) => complain(`The page failed: ${message}`))
  page.on('console', (line) => {
    // The walk sends a wrong token and an unknown id on purpose.
    const isExpected = /status of (403|404)/.test(line.text())
    if (line.type() === 'error' && !isExpected) complain(`The console says: ${line.text()}`)
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(shop.url)) complain(`It asked for ${request.url()}`)
  })
  await page.goto(`${shop.url}/page/#token=${shop.token}`)
  await page.locator('.card').first().waitFor()
  if (page.url().includes(shop.token)) complain('The token is still in the address')
  await panels(page, complain)
  await pausing(page, complain)
  await searching(page, complain)
  await lists(page, complain)
  if ((await page.locator('.flow-beads').count()) > 0) {
    const running = await page.evaluate('document.getAnimations().length')
    if (running !== 0) complain(`${String(running)} animations run where motion is unwanted`)
  }
  await context.close()
  await shop.close()
  return issues
}

const focused = async (page: Page): Promise<string> =>
  String(await page.evaluate('document.activeElement.textContent'))

async function tabTo(page: Page, opens: string): Promise<boolean> {
  const isThere = `document.activeElement.dataset.opens === ${JSON.stringify(opens)}`
  for (let step = 0; step < 60; step += 1) {
    if (await page.evaluate(isThere)) return true
    await page.keyboard.press('Tab')
  }
  return false
}

async function panels(page: Page, complain: Complain): Promise<void> {
  for (const [opens, title] of [
    ['service:payment', 'payment'],
    ['topic:payment.events', 'payment.events'],
  ] as const) {
    if (!(await tabTo(page, opens))) return complain(`Tab does not lead to ${opens}`)
    await page.keyboard.press('Enter')
    await page.locator('.panel').waitFor()
    if ((await focused(page)) !== title) complain(`Opening ${opens} does not focus its title`)
    await page.keyboard.press('Escape')
    await page.locator('.panel').waitFor({ state: 'detached' })
    if (!(await tabTo(page, opens))) complain(`Closing ${opens} lost the focus`)
  }
}

async function pausing(page: Page, complain: Complain): Promise<void> {
  await page.goto(`${page.url().split('#')[0]}#/service/inventory`)
  await page.getByRole('button', { name: 'Pause inventory' }).press('Enter')
  await page.locator('.card[data-state="paused"]').waitFor()
  await page.waitForFunction('document.title.startsWith("inventory paused")')
  await page.getByRole('button', { name: 'Resume inventory' }).press('Enter')
  await page.locator('.card[data-state="paused"]').waitFor({ state: 'detached' })
  await page.evaluate('sessionStorage.clear()')
  await page.reload()
  await page.getByRole('button', { name: 'Pause inventory' }).press('Enter')
  await page.locator('#token-field').fill('a wrong one')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Pause inventory' }).press('Enter')
  await page.getByText('That token is not valid').waitFor()
  await page.keyboard.press('Escape')
  if ((await page.locator('dialog[open]').count()) > 0) complain('Esc does not close the dialog')
  if ((await page.locator('.panel').count()) === 0) complain('Esc closed more than the dialog')
  await page.keyboard.press('Escape')
}

async function searching(page: Page, complain: Complain): Promise<void> {
  await page.locator('.panel').waitFor({ state: 'detached' })
  await page.keyboard.press('/')
  await page.keyboard.type('no-such-id')
  await page.keyboard.press('Enter')
  await page.getByText('No message has this id or this key').waitFor()
  await page.keyboard.press('/')
  const selected = await page.evaluate('getSelection().toString()')
  if (selected !== 'no-such-id')
    complain(`/ selects ${String(selected)}, not what was searched for`)
  const key = await page.locator('.newest .event-key').first().getAttribute('title')
  await page.keyboard.type(key ?? '')
  await page.keyboard.press('Enter')
  await page.getByText('Messages with this key, newest first').waitFor()
  await page.keyboard.press('Escape')
  const line = page.locator('.newest .event-line').nth(3)
  await line.focus()
  const type = await line.locator('.event-type').textContent()
  await page.keyboard.press('Enter')
  const current = await page.locator('.step[aria-current] .step-type').textContent()
  if (current !== type) complain(`The chain shows ${current}, not ${type}`)
  await page.keyboard.press('Escape')
}

async function lists(page: Page, complain: Complain): Promise<void> {
  await page.locator('.panel').waitFor({ state: 'detached' })
  await page.evaluate('document.activeElement.blur()')
  if (!(await tabTo(page, 'list:operations'))) return complain('Tab does not lead to operations')
  await page.keyboard.press('Enter')
  await page.getByLabel('State').selectOption('pending')
  await page.waitForFunction('location.hash === "#/operations?state=pending"')
  await page.locator('.item .waits').first().waitFor()
  const states = await page.locator('.state').allTextContents()
  if (states.some((state) => state !== 'pending')) complain(`Pending are ${states.join()}`)
  await page.keyboard.press('Escape')
  await page.locator('.panel').waitFor({ state: 'detached' })
  if (!(await tabTo(page, 'list:ledger'))) return complain('Tab does not lead to the ledger')
  await page.keyboard.press('Enter')
  await page.getByLabel('Status').selectOption('COMPLETED')
  await page.waitForFunction('location.hash === "#/ledger?status=COMPLETED"')
  await page.locator('.item a').first().focus()
  await page.keyboard.press('Enter')
  await page.locator('.step[aria-current]').waitFor()
  await page.keyboard.press('Escape')
  await page.locator('.panel').waitFor({ state: 'detached' })
  await page.goto(`${page.url().split('#')[0]}#/topic/ordering.events`)
  await page.getByLabel('Type').fill('completion')
  await page.keyboard.press('Enter')
  await page.waitForFunction('location.hash === "#/topic/ordering.events?type=completion"')
  if ((await page.evaluate('document.activeElement.name')) !== 'type')
    complain('Applying a filter lost the focus')
  await page.getByRole('button', { name: 'Older' }).press('Enter')
  await page.getByText('Page 2').waitFor()
  const types = new Set(await page.locator('.panel .event-type').allTextContents())
  if ([...types].join() !== 'ORDER_COMPLETION_SUCCESS') complain(`Filtered: ${[...types].join()}`)
  await page.keyboard.press('Escape')
}
