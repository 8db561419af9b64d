// Takes the picture of the page in the README, from the shop while it replays its orders.
//
//   npm run screenshot
//
// Needs Chromium, at a usual place or named by CHROMIUM.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'docs/images/page.png')
const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const VIEWPORT = { width: 1_280, height: 760 }
/** Long enough for the charts to show some history. */
const REPLAY_MS = 75_000

const directory = mkdtempSync(join(tmpdir(), 'throughline-screenshot-'))
const main = join(root, 'examples/shop/main.ts')
const args = [main, '--json', '--port', '0', '--rate', '5', '--data', join(directory, 'data')]
const shop = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })

/** The address of the page, which is the first thing that the shop prints. */
async function pageOf(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output }))
    return (JSON.parse(line) as { page: string }).page
  throw new Error('the shop ended before it listened')
}

try {
  const url = await pageOf(shop.stdout)
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    const page = await browser.newPage({ viewport: VIEWPORT, colorScheme: 'light' })
    await page.goto(url)
    await sleep(REPLAY_MS)
    await page.screenshot({ path: target })
    process.stdout.write(`${target}: ${statSync(target).size} bytes\n`)
  } finally {
    await browser.close()
  }
} finally {
  shop.kill()
  rmSync(directory, { recursive: true, force: true })
}
