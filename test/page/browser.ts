// A real browser for tests of the page, and axe to look at what it shows.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** Where a Chromium is, if there is one: named by `CHROMIUM`, or where systems put it. */
export const browserPath: string | undefined = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path))

/** The sandbox of the browser cannot be had as root. */
export function openBrowser(): Promise<Browser> {
  const executablePath = browserPath ?? ''
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

interface Violation {
  readonly id: string
  readonly help: string
  readonly nodes: readonly {
    readonly target: readonly string[]
    readonly failureSummary?: string
  }[]
}

/** What axe has against what the page shows, as sentences. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  await page.addScriptTag({ path: axe })
  const found = (await page.evaluate(
    `axe.run({ runOnly: ${JSON.stringify(TAGS)} }).then(({ violations }) => violations)`,
  )) as readonly Violation[]
  return found.flatMap(({ id, help, nodes }) => [
    `${id}: ${help}`,
    ...nodes
      .slice(0, 4)
      .map(({ target, failureSummary = '' }) => `  ${target.join(' ')} ${failureSummary}`),
  ])
}
