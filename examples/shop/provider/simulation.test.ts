// The shop and a provider with bad days, in simulated time: the excerpt settles with the totals of the
// oracle, and the provider has moved the same money as the books.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hours, seconds } from 'throughline'
import type { DeadLetterEntry } from 'throughline'
import { inProcess } from 'throughline/edges'
import type { Simulation } from 'throughline/testing'
import { seededRandom, simulate } from 'throughline/testing'
import { differencesOf, imbalancesOf } from '../check-books.ts'
import { readInvoices } from '../intake/file.ts'
import { booksOfFile } from '../oracle.ts'
import { commandFor } from '../run/feed.ts'
import { sumUp } from '../run/summary.ts'
import { cardsOf, mistypeOne } from './cards.ts'
import { notificationTopic, shopThroughProvider } from './charging.ts'
import { chargingConsumer, correct, isOnlyDeadLeft } from './operator.ts'
import { providerDifferences } from './report.ts'
import type { Behaviour, Phase } from './simulated-provider.ts'
import { simulateProvider } from './simulated-provider.ts'

const excerpt = fileURLToPath(new URL('../data/orders.csv', import.meta.url))
const { invoices, malformedRows } = await readInvoices(excerpt)
const card = mistypeOne(invoices)
const cardOf = cardsOf(invoices, card)
const books = booksOfFile(excerpt, {})

const badDays: readonly Phase[] = [
  { behaviour: 'well', calls: 10, lastsMs: 0 },
  { behaviour: 'down', calls: 60, lastsMs: seconds(20) },
  { behaviour: 'answers-twice', calls: 60, lastsMs: seconds(10) },
  { behaviour: 'slow', calls: 60, lastsMs: seconds(10) },
  { behaviour: 'well', calls: 0, lastsMs: 0 },
]

/** Pauses that end as simulated time goes on. */
function createPauses() {
  const pauses = new Set<{ readonly dueMs: number; readonly end: () => void }>()
  let nowMs = 0
  return {
    elapsed: () => nowMs,
    pause: (delayMs: number) =>
      new Promise<void>((end) => void pauses.add({ dueMs: nowMs + delayMs, end })),
    advance(toMs: number): void {
      nowMs = toMs
      for (const each of pauses) if (each.dueMs <= nowMs && pauses.delete(each)) each.end()
    },
  }
}

async function startWorld(seed: number) {
  const broker = inProcess()
  const pauses = createPauses()
  const random = seededRandom(seed)
  const phases: Behaviour[] = []
  const provider = simulateProvider({
    phases: badDays,
    slowMs: 2_500,
    random,
    ...pauses,
    notify: (notification) => broker.publish(notificationTopic, JSON.stringify(notification)),
    onPhase: (behaviour) => void phases.push(behaviour),
  })
  const tools = { provider, transport: broker }
  const system = await simulate(shopThroughProvider(), { seed, tools })
  const began = system.now()
  const advance = async (byMs: number): Promise<void> => {
    await system.advance(byMs)
    pauses.advance(system.now() - began)
  }
  const letters = async (): Promise<readonly DeadLetterEntry[]> =>
    (await system.until(system.deadLetters('payment').list())).items
  return { system, broker, provider, phases, random, advance, letters }
}
type World = Awaited<ReturnType<typeof startWorld>>

/** Advances until nothing is left to do but what waits behind dead letters. */
async function untilOnlyDeadLeft({ system, advance, letters }: World): Promise<DeadLetterEntry[]> {
  for (const began = system.now(); system.now() - began < hours(1); await advance(250)) {
    const dead = await letters()
    if (isOnlyDeadLeft(await system.status(), dead)) return [...dead]
  }
  throw new Error('it has not settled in an hour')
}

const isRefusal = (code: string) => (data: unknown) => (data as { code?: string }).code === code

async function assertSettled({ system, provider }: World): Promise<void> {
  const summary = await sumUp(system as never, {
    read: invoices.length,
    malformedRows,
    handledBefore: 0,
    elapsedMs: 1,
    peakMemoryBytes: 0,
  })
  assert.deepEqual(differencesOf(books, summary), [])
  assert.deepEqual(imbalancesOf(summary), [])
  assert.deepEqual(providerDifferences(provider.movements(), summary.money), [])
  assert.ok(summary.money.refundedCents > 0)
  for (const each of await system.status()) {
    const { consumer, accepted, completed, lag, dead } = each
    assert.deepEqual(
      { consumer, completed, lag, dead },
      { consumer, completed: accepted, lag: 0, dead: 0 },
    )
  }
}

describe('the excerpt settles through bad days of the provider', () => {
  for (const seed of [1, 2])
    test(`seed ${seed}`, async () => {
      const world = await startWorld(seed)
      await using system: Simulation = world.system
      for (const [at, invoice] of invoices.entries()) {
        const { id, command } = commandFor(invoice, cardOf(invoice.invoiceId))
        await system.send(command as never, { id })
        await world.advance(Math.floor(world.random() * 200))
        // The provider is outside, so it remembers what a crashed service has forgotten.
        if (at % 150 === 149) await system.crash('payment')
      }
      const dead = await untilOnlyDeadLeft(world)
      const [letter] = dead
      assert.ok(letter)
      assert.equal(dead.length, 1)
      assert.deepEqual(
        { consumer: letter.consumer, key: letter.key, code: letter.error.code },
        { consumer: chargingConsumer, key: card.customerId, code: 'FINAL' },
      )
      assert.ok(letter.heldBehind > 0)
      await assertHeld(world, letter)

      const operator = system.deadLetters('payment')
      const { refusedIssues, redriven } = await system.until(
        correct(operator, letter, card.correct),
      )
      assert.deepEqual(
        refusedIssues.map(({ path }) => path),
        ['card'],
      )
      assert.equal(redriven, 1)
      assert.deepEqual(await untilOnlyDeadLeft(world), [])
      await system.settled()
      await assertSettled(world)
      await assertBadDays(world)
    })

  /** Only the orders of one customer wait, and they do so behind the dead letter. */
  async function assertHeld({ system, provider }: World, letter: DeadLetterEntry): Promise<void> {
    const requested = (await system.messages()).filter(
      ({ type }) => type === 'PAYMENT_CHARGE_REQUESTED',
    )
    const charged = new Set(provider.movements().map(({ orderId }) => orderId))
    for (const { data, key, offset } of requested) {
      const { orderId } = data as { orderId: string }
      const waits = key === letter.key && offset >= (letter.event.offset ?? 0)
      assert.equal(charged.has(orderId), !waits, orderId)
    }
  }

  /** Everything that the table says has happened. */
  async function assertBadDays({ system, broker, provider, phases }: World): Promise<void> {
    assert.deepEqual(phases, ['down', 'answers-twice', 'slow', 'well'])
    const outcomes = new Set(provider.calls().map(({ outcome }) => outcome))
    assert.deepEqual([...outcomes].toSorted(), ['done', 'down', 'late', 'refused', 'repeated'])
    assert.ok(system.faults().some(({ code }) => code === 'HANDLER_TIMEOUT'))
    const sent = provider.notified()
    const ids = new Set(sent.map((each) => each.notification_id))
    assert.ok(sent.length > ids.size && ids.size > 1)
    assert.equal(broker.messages(notificationTopic).length, sent.length)
    const messages = await system.messages()
    const second = messages.filter(({ type }) => type === 'PAYMENT_CONFIRMATION_ERROR')
    assert.equal(second.length, ids.size)
    assert.ok(second.every(({ data }) => isRefusal('already-charged')(data)))
    const charged = messages.filter(({ type }) => type === 'PAYMENT_CHARGE_SUCCESS')
    assert.equal(
      new Set(charged.map(({ data }) => (data as { orderId: string }).orderId)).size,
      charged.length,
    )
  }
})
