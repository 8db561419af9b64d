// The page with a fake shop whose log fails while keys are held.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { browserPath, openBrowser, violationsOf } from './browser.ts'
import { startFakeServer } from './fake-server.cli.ts'

const skip = browserPath === undefined ? 'no Chromium is here: name one by CHROMIUM' : false

test(
  'while the log fails, the header counts the held keys and the banner lists every alarm',
  { skip },
  async () => {
    const shop = await startFakeServer({ scene: 'failing' })
    shop.world.broken = 'embedded: the disk is full'
    shop.pace = 20
    const browser = await openBrowser()
    try {
      const page = await browser.newPage({ bypassCSP: true, reducedMotion: 'reduce' })
      await page.goto(`${shop.url}/page/`)
      await page.locator('.health', { hasText: /^Failing, \d+ keys? held$/ }).waitFor()
      const banner = page.locator('.banner[data-is="failing"]')
      assert.equal(await banner.locator('p').textContent(), 'embedded: the disk is full')
      assert.deepEqual(await banner.getByRole('link').allTextContents(), [
        'Show the held keys',
        'Show the slowest event',
      ])
      // The card counts events, not keys.
      assert.match(
        (await page.locator('.card .tag-failing').textContent()) ?? '',
        /^[\d,]+ waits?$/,
      )
      assert.deepEqual(await violationsOf(page), [])
    } finally {
      await browser.close()
      await shop.close()
    }
  },
)
