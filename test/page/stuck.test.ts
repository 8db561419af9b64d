// The page with a real system that has held keys, and messages with bidirectional control characters.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { App } from 'throughline'
import { after as later, command, contract, entity, event, handler, hours, saga } from 'throughline'
import { refuse, service, start } from 'throughline'
import type { AppServer } from 'throughline/admin'
import { serve } from 'throughline/admin'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import { browserPath, openBrowser, violationsOf } from './browser.ts'

const skip = browserPath === undefined ? 'no Chromium is here: name one by CHROMIUM' : false

/** Shown unescaped, this character reverses the text after it. */
const RTL = '\u202e'
const Item = z.object({ id: z.string(), text: z.string() })
const Work = contract(
  'work',
  { key: 'id' },
  {
    Do: command(Item, { wire: `work.${RTL}Do`, refuses: ['no'] }),
    Done: event(Item, { wire: `work.${RTL}Done` }),
    Remind: command(Item),
    Reminded: event(Item),
  },
)
const thing = entity(
  'thing',
  { of: Work, id: 'id', initial: 0 },
  {
    decide: (on) => [
      on(Work.Do, (data) => (data.text === 'no' ? refuse('no', [`no ${RTL}`]) : Work.Done(data))),
      on(Work.Remind, (data) => Work.Reminded(data)),
    ],
    evolve: (on) => [
      on(Work.Done, (_, count) => count + 1),
      on(Work.Reminded, (_, count) => count),
    ],
  },
)
const outside = handler('outside', {}, (on) => [
  on(Work.Done, ({ id }) => {
    if (id.startsWith('bad')) throw new Error(`the gateway said 503 for ${id} ${RTL}`)
  }),
])
const reminding = saga('reminding', { by: 'id', initial: 0, sends: [Work.Remind] }, (on) => [
  on(Work.Done, (data) => later(hours(5), Work.Remind(data))),
])
const services = [service('work', { owns: [Work], runs: [thing, outside, reminding] })] as const

describe('the page of a system with held keys', { skip }, () => {
  let app: App
  let served: AppServer
  let browser: Browser
  let page: Page

  before(async () => {
    app = await start(services, memory(), { onRuleError: () => undefined })
    const states = async (): Promise<Record<string, number>> => ({ [`open ${RTL}`]: 1 })
    served = await serve(app, {
      port: 0,
      expose: [Work],
      boards: [{ title: `Work ${RTL}`, states }],
    })
    const keys = ['good', `bad-${RTL}1`, `bad-${RTL}2`]
    for (const id of keys) {
      const text = `text ${RTL}`
      await app.send(Work.Do({ id, text }), { id: `do-${id}` })
    }
    const refused = await app.send(Work.Do({ id: 'no', text: 'no' }), { id: 'do-no' })
    await refused.accepted()
    browser = await openBrowser()
    page = await browser.newPage({ viewport: { width: 1_440, height: 900 }, bypassCSP: true })
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

  test('shows that keys are held, and links to the list with their errors', async () => {
    await page.locator('.health', { hasText: /2 (keys|events) held/ }).waitFor()
    await page.getByRole('link', { name: 'Show the held keys' }).click()
    await page.locator('.item').nth(1).waitFor()
    const [first = ''] = await page.locator('.item').allTextContents()
    for (const said of [
      'bad-\\u202e1',
      'work/outside',
      'said 503 for',
      'failed attempt',
      'next attempt',
    ])
      assert.ok(first.includes(said), `${said} in ${first}`)
    await page.locator('.item-more summary').first().click()
    assert.match(
      (await page.locator('.item .json').first().textContent()) ?? '',
      /stuck\.test\.ts:\d+/,
    )
  })

  test('shows what a pending conversation waits for, and where it is held', async () => {
    await open(`#/event/${encodeURIComponent(`do-bad-${RTL}1`)}`, '.outcome')
    assert.match(
      (await page.locator('.outcome').textContent()) ?? '',
      /pending.*waits for the timer work\.Remind, due in 5 h/,
    )
    assert.match((await page.locator('.item').first().textContent()) ?? '', /held at work\/outside/)
  })

  test('lists the ledger by status, and leads to the conversation of an event', async () => {
    await open('#/ledger?consumer=work%2Foutside&status=RETRY', '.item')
    const [first = ''] = await page.locator('.item').allTextContents()
    for (const said of [
      'work.\\u202eDone',
      'RETRY',
      'at work/outside',
      'created by work, ',
      'updated by work, ',
      'failed attempt',
      'next attempt',
      'said 503 for',
    ])
      assert.ok(first.includes(said), `${said} in ${first}`)
    assert.equal(await page.locator('.item').count(), 2)
    await page.locator('.item a').first().click()
    await page.locator('.step[aria-current] .step-consumers').waitFor()
    const statuses = await page.locator('.step[aria-current] .step-consumers li').allTextContents()
    assert.match(statuses[0] ?? '', /^completed at work\/reminding$/)
    assert.match(
      statuses[1] ?? '',
      /^(RETRY|ERROR)at work\/outside\d+ failed attempts?next attempt /,
    )
    await open('#/ledger?view=inbound', '.item')
    assert.equal(await page.getByLabel('View').inputValue(), 'inbound')
    for (const each of await page.locator('.item').allTextContents())
      assert.match(each, /created by a client outside, /)
    await open('#/ledger?event=none', '.panel .note')
    assert.equal(await page.locator('.panel .note').textContent(), 'No events match.')
  })

  test('lists operations by state, and colours them by kind', async () => {
    await open('#/operations', '.item')
    await page.getByLabel('State').selectOption('refused')
    await page.waitForFunction('document.querySelectorAll(".panel .item").length === 1')
    assert.equal(await page.locator('.state').getAttribute('data-kind'), 'refused')
    await open('#/timers', '.item')
    assert.equal(await page.locator('.item').count(), 3)
    await open('#/sagas', '.item')
    assert.equal(await page.locator('.item').count(), 3)
  })

  test('shows the issues of an invalid filter in the address', async () => {
    await open('#/operations?since=abc', '.panel [role="alert"]')
    const said = (await page.locator('.panel [role="alert"]').textContent()) ?? ''
    assert.match(said, /: operations.*since must be a whole number from 0 to /)
  })

  test('finds a conversation by its key', async () => {
    await page.keyboard.press('Escape')
    await page.keyboard.press('/')
    await page.keyboard.type('good')
    await page.keyboard.press('Enter')
    await page.locator('.panel .event-line').nth(1).waitFor()
    assert.equal(await page.locator('.panel .event-line').count(), 2)
  })

  test('draws the history of the server after a reload', async () => {
    const samples = async (): Promise<readonly object[]> =>
      (await (await fetch(`${served.gateway}/admin/history`)).json()) as readonly object[]
    while ((await samples()).length === 0) await page.waitForTimeout(50)
    await page.getByRole('button', { name: '1 h' }).click()
    await page.reload()
    // No events since the reload: values above zero come from the server's history.
    const chart = page.locator(
      '.pulse [role="img"][aria-label^="Events per second, last hour: now 0,"]',
    )
    const label = (await chart.getAttribute('aria-label')) ?? ''
    assert.match(label, /at most (?!0$)/)
  })

  test('shows no unescaped bidirectional control characters', async () => {
    // Addresses and input values contain the original text.
    const seen = `[...document.querySelectorAll('body *')].flatMap((element) => [
      ...[...element.childNodes].flatMap((node) => node.nodeType === 3 ? [node.data] : []),
      ...[...element.attributes].flatMap(({ name, value }) =>
        ['href', 'data-opens', 'value'].includes(name) ? [] : [name + '=' + value]),
    ]).filter((text) => /\\p{Bidi_Control}/u.test(text))`
    const found = async (): Promise<unknown> => page.evaluate(seen)
    const bad = encodeURIComponent(`bad-${RTL}1`)
    for (const [fragment, waitFor] of [
      ['#/', '.newest .event-line'],
      ['#/', '.board'],
      ['#/held', '.item .json'],
      [`#/held?key=${bad}`, '.item'],
      ['#/ledger', '.item'],
      ['#/operations', '.item'],
      ['#/sagas', '.item'],
      ['#/timers', '.item'],
      ['#/topic/work.events', '.panel .event-line'],
      [`#/find/${bad}`, '.panel .event-line'],
      [`#/event/${encodeURIComponent(`do-bad-${RTL}1`)}`, '.step'],
      ['#/event/do-no', '.outcome-complaints'],
      [`#/event/${RTL}none`, '.chain-missing'],
    ] as const) {
      await page.goto(`${served.gateway}/page/${fragment}`)
      await page.locator(waitFor).first().waitFor({ state: 'attached' })
      for (const step of await page.locator('.step-head').all()) await step.click()
      assert.deepEqual(await found(), [], fragment)
    }
  })

  test('has no accessibility violations, at two widths and in both themes', async () => {
    const chain = `#/event/${encodeURIComponent(`do-bad-${RTL}1`)}`
    for (const fragment of ['#/ledger', '#/held', '#/operations', '#/topic/work.events', chain])
      for (const colorScheme of ['light', 'dark'] as const)
        for (const width of [1_440, 375]) {
          await page.setViewportSize({ width, height: 812 })
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
          await open(fragment, '.panel :is(.item, .event-line)')
          assert.deepEqual(await violationsOf(page), [], `${fragment} ${colorScheme} at ${width}`)
        }
  })
})
