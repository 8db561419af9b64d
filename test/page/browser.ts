// A real browser for tests of the page, and axe to look at what it shows.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/** The path of a Chromium, if there is one: from `CHROMIUM`, or in the usual places. */
export const browserPath: string | undefined = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path))

/** Without the sandbox, which does not work as root. */
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

/** On a wide screen nothing covers the rest. */
const FITS = `matchMedia('(max-width: 760px)').matches || !document.querySelector('main[inert]')`

/** The accessibility violations that axe finds in the page, as sentences, once it fits its window. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  await page.waitForFunction(FITS)
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
