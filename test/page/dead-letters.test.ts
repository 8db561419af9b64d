// The page with a real system that has dead letters: they are looked at, edited, redriven and discarded,
// by keyboard alone. Screenshots go to the folder SHOTS, if it is set.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { App } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { serve } from 'throughline/admin'
import { memory } from 'throughline/testing'
import type { AuditEntry, ListPage } from '../../src/admin/wire.ts'
import type { Outside } from '../control/failing-service.ts'
import { createOutside, startPost, writeLetters } from '../control/failing-service.ts'
import { browserPath, openBrowser, violationsOf } from './browser.ts'

const skip = browserPath === undefined ? 'no Chromium is here: name one by CHROMIUM' : false
const folder = process.env['SHOTS']
const IDS = ['bad-1', 'bad-1', 'bad-1', 'bad-2', 'good', 'bad-3', 'bad-\u202e4', 'bad-late order']

describe('the page of a system with dead letters', { skip }, () => {
  const outside: Outside = createOutside()
  const problems: string[] = []
  let app: App
  let served: AppServer
  let browser: Browser
  let page: Page

  before(async () => {
    if (folder !== undefined) mkdirSync(folder, { recursive: true })
    app = await startPost(memory(), outside)
    served = await serve(app, { port: 0 })
    await writeLetters(app, IDS, 5)
    browser = await openBrowser()
    page = await browser.newPage({ viewport: { width: 1_440, height: 900 }, bypassCSP: true })
    page.on('pageerror', ({ message }) => void problems.push(message))
    await page.goto(served.page)
    await page.locator('.card').first().waitFor()
  })
  after(async () => {
    await browser.close()
    await served.close()
    await app.stop()
  })

  const open = async (fragment: string, waitFor: string): Promise<void> => {
    await page.goto(`${served.gateway}/page/${fragment}`)
    await page.locator(waitFor).first().waitFor()
  }
  /** Checks what is open at two widths and in both themes. */
  const look = async (name: string): Promise<void> => {
    for (const colorScheme of ['light', 'dark'] as const)
      for (const width of [1_440, 375]) {
        await page.setViewportSize({ width, height: width === 375 ? 812 : 900 })
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        const path = folder && join(folder, `${name}-${width}-${colorScheme}.png`)
        if (path !== undefined) await page.screenshot({ path })
        assert.deepEqual(await violationsOf(page), [], `${name} ${colorScheme} at ${width}`)
        const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'
        assert.equal(await page.evaluate(isWide), false, `${name} scrolls sideways at ${width}`)
      }
    await page.setViewportSize({ width: 1_440, height: 900 })
  }
  const press = (name: string): Promise<void> =>
    page.getByRole('button', { name, exact: true }).press('Enter')
  const said = async (text: string): Promise<void> =>
    page.locator('.dead-done', { hasText: text }).waitFor()
  const count = async (): Promise<number> => (await app.deadLetters.list()).items.length

  test('says so in the header and the banner, which link to them', async () => {
    await page.locator('.health', { hasText: '5 dead letters' }).waitFor()
    await look('banner')
    await page.getByRole('link', { name: 'Show the dead letters' }).click()
    await page.locator('.dead-cause').first().waitFor()
    await open('#/service/post', '.callout')
    assert.match((await page.locator('.callout').first().textContent()) ?? '', /5 dead letters at/)
    assert.match((await page.locator('.table').textContent()) ?? '', /Dead/)
    await look('service')
    await open('#/held', '.item')
    assert.equal(await page.locator('.item a.state').first().textContent(), 'failed')
    await look('held')
  })

  test('groups them by cause, and opens the letters of a cause', async () => {
    await open('#/dead', '.dead-cause')
    await look('causes')
    const item = page.locator('.dead-cause', { hasText: 'no address -<n>' })
    assert.match(
      (await item.textContent()) ?? '',
      /^3 letters atpost\/mailNO_ADDRESSno address -<n>/,
    )
    await item.getByRole('link').press('Enter')
    await page.locator('.items .item').nth(2).waitFor()
    const ofCause = /#\/dead\?consumer=post%2Fmail&cause=\w+/
    assert.match(page.url(), ofCause)
    await open('#/dead', '.dead-cause')
    await item.locator('.item-error').click({ position: { x: 2, y: 2 }, force: true })
    await page.waitForURL(ofCause)
    await page.locator('.items .item').nth(2).waitFor()
    const first = page.locator('.items .item', { hasText: 'bad-1' })
    assert.match((await first.textContent()) ?? '', /1 attempt2 events behind it/)
    for (const summary of await first.locator('summary').all()) await summary.press('Enter')
    assert.match((await first.locator('.json').first().textContent()) ?? '', /"note": "note 0"/)
    assert.match(
      (await first.locator('.json').last().textContent()) ?? '',
      /failing-service\.ts:\d/,
    )
    await look('letters')
    await open('#/dead?key=bad-%E2%80%AE4', '.items .item')
    assert.match((await page.locator('.items .item').textContent()) ?? '', /^bad-\\u202e4/)
  })

  test('asks for the name once, and redrives after a preview', async () => {
    await open('#/dead?key=bad-1', '.items .item')
    await press('Redrive all…')
    await page.locator('.dead-facts').waitFor()
    assert.match(
      (await page.locator('.dead-facts').textContent()) ?? '',
      /Dead letters1Events behind them2Out of order0Effects repeated1/,
    )
    await look('redrive')
    await page.getByLabel('Why (optional)').fill('the address is known')
    await page.keyboard.press('Enter')
    await page.locator('#by-field').fill('ada')
    await look('name')
    outside.isWorking = true
    // With the name it goes on with what was asked for.
    await page.keyboard.press('Enter')
    await said('Redriven: 1 dead letter.')
    assert.equal(await page.evaluate('document.activeElement.className'), 'dead-done')
    while (outside.handled.filter((each) => each.startsWith('bad-1')).length < 3)
      await page.waitForTimeout(20)
    outside.isWorking = false
    assert.equal(await count(), 4)
  })

  test('edits the data, with all issues of the schema beside it', async () => {
    await open('#/dead?key=bad-2', '.items .item')
    const edit = `Edit post.Written of bad-2`
    await press(edit)
    await page.locator('#edit-data').fill('{ "id": "bad-2", ')
    await press('Save')
    await page.getByText('This is not JSON.').waitFor()
    await page.locator('#edit-data').fill('{ "id": 2, "note": "a note that is much too long" }')
    await press('Save')
    await page.locator('.edit-issues dt', { hasText: 'note' }).waitFor()
    assert.deepEqual(await page.locator('.edit-issues dt').allTextContents(), ['id', 'note'])
    await look('edit')
    await page.locator('#edit-data').fill('{ "id": "bad-2", "note": "good" }')
    await page.locator('#edit-reason').fill('a typing error')
    await page.keyboard.press('Enter')
    await said('Edited: post/mail gets the new data when you redrive it.')
    await page.getByText('edited by ada: a typing error').waitFor()
    await look('edited')
    await press(edit)
    await press('Undo the edit')
    await said('post/mail gets the original data.')
    await page.getByText('edited by').waitFor({ state: 'detached' })
    await press(edit)
    await page.keyboard.press('Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    assert.equal(await page.evaluate('document.activeElement.ariaLabel'), edit)
    assert.equal(await page.locator('.panel').count(), 1)
  })

  test('discards only with a reason', async () => {
    await open('#/dead?key=bad-3', '.items .item')
    await press('Discard post.Written of bad-3')
    await page.getByRole('button', { name: 'Discard 1' }).press('Enter')
    await page.getByLabel('Why').fill('  ')
    await page.keyboard.press('Enter')
    assert.equal(await page.evaluate('document.activeElement.validity.valid'), false)
    await look('discard')
    await page.getByLabel('Why').fill('moved away')
    await page.keyboard.press('Enter')
    await said('Discarded: 1 dead letter.')
    await page.getByText('No dead letters match.').waitFor()
    assert.equal(await count(), 3)
    await open('#/service/post', '.table th:text-is("Discarded")')
    await look('service-discarded')
  })

  test('leaves an entry for each change, and no error on the page', async () => {
    const answer = await fetch(`${served.gateway}/admin/audit`)
    const { items } = (await answer.json()) as ListPage<AuditEntry>
    assert.deepEqual(
      items.map(({ by, verb, outcome }) => `${by} ${verb} ${outcome}`),
      [
        'ada dead-discard done',
        'ada dead-undo-edit done',
        'ada dead-edit done',
        'ada dead-edit failed',
        'ada dead-redrive done',
      ],
    )
    assert.deepEqual(problems, [])
  })
})
