// Dead letters of one cause are one group: ids and numbers in their texts do not matter.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { final } from 'throughline'
import { causeOf, normalizedMessage, topFrame } from '../../../src/engine/failure/cause.ts'
import { CONSUMER, createFailingConsumer } from '../support/failing-consumer.ts'

const ENOUGH_MS = 5_000

suite('a cause', () => {
  test('is the same whatever ids, numbers and quoted texts a message contains', () => {
    const texts = [
      [
        'order 4711 of 7ceb5f3e-2b1c-4f43-9a53-1d1fbb8d0a52 is late',
        'order 9 of 00000000-0000-7000-8000-000000000000 is late',
      ],
      ['no "apples" left', "no 'pears' left"],
      ['0x7f3a is 3.5 over', '0x00ff is 1,000.25 over'],
      ['id 5f2b8c9d1e3a4b5c6d7e8f90 unknown', 'id ffffffffffffffffffffffff unknown'],
      ['connect ECONNREFUSED 10.0.0.1:5432', 'connect ECONNREFUSED 127.0.0.1:80'],
      ['first line\nwith details 1', 'first line\nother details'],
    ] as const
    for (const [one, other] of texts) {
      assert.equal(normalizedMessage(one), normalizedMessage(other))
      assert.equal(causeOf({ message: one }), causeOf({ message: other }))
    }
  })

  test('differs with the words, the code and the function that throws', () => {
    const stack = (name: string) => `Error: x\n    at ${name} (file:///app/src/bank.ts:10:5)`
    const all = [
      { message: 'the bank is closed' },
      { message: 'the road is closed' },
      { message: 'the bank is closed', code: 'ECONNREFUSED' },
      { message: 'the bank is closed', code: 'ETIMEDOUT' },
      { message: 'the bank is closed', stack: stack('pay') },
      { message: 'the bank is closed', stack: stack('ask') },
    ]
    assert.equal(new Set(all.map(causeOf)).size, all.length)
  })

  test('is the same wherever in its file the function stands', () => {
    const at = (line: string): string => `Error: x\n    at pay (file:///app/src/bank.ts:${line})`
    assert.equal(topFrame(at('10:5')), 'pay@bank.ts')
    assert.equal(topFrame(at('10:5')), topFrame(at('99:1')))
    assert.equal(topFrame('Error: x\n    at async file:///app/src/bank.ts:3:4'), '@bank.ts')
    assert.equal(topFrame(undefined), '')
  })
})

suite('dead letters', () => {
  test('are grouped by cause, the most frequent first', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 1 } } })
    await world.launch()
    for (let at = 1; at <= 6; at += 1) {
      const late = new Error(`order ${at * 17} is late by ${at}.5 days`)
      world.fail(`late${at} 1`, () => late)
    }
    for (let at = 1; at <= 3; at += 1) world.fail(`gone${at} 1`, () => new Error(`no "${at}" left`))
    world.fail('closed 1', () => final(new Error('closed')))
    const names = [1, 2, 3, 4, 5, 6].map((at) => `late${at} 1`)
    names.push('gone1 1', 'gone2 1', 'gone3 1', 'closed 1')
    const begun = world.clock.now()
    await world.append(...names)
    await world.advance(ENOUGH_MS)
    const causes = await world.until(world.app().deadLetters.causes())
    assert.deepEqual(
      causes.map(({ count, consumer, types }) => [count, consumer, types]),
      [
        [6, CONSUMER, ['work.Done']],
        [3, CONSUMER, ['work.Done']],
        [1, CONSUMER, ['work.Done']],
      ],
    )
    assert.equal(causes[0]?.message, 'order <n> is late by <n> days')
    assert.equal(causes[2]?.code, 'FINAL')
    for (const { cause, count, example, firstAt, lastAt } of causes) {
      const letters = await world.letters({ cause })
      assert.equal(letters.length, count)
      assert.ok(letters.some(({ event: { id } }) => id === example))
      assert.ok(firstAt >= begun && lastAt >= firstAt && lastAt <= begun + ENOUGH_MS)
    }
    const late = await world.until(world.app().deadLetters.causes({ key: 'late1' }))
    assert.deepEqual(
      late.map(({ count }) => count),
      [1],
    )
    await world.stop()
  })

  test('are listed page by page, by consumer and place, and by each filter', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 1 } } })
    await world.launch()
    const names = Array.from({ length: 25 }, (_, at) => `k${at} 1`)
    for (const name of names) world.fail(name)
    await world.append(...names.slice(0, 10))
    await world.advance(ENOUGH_MS)
    const between = world.clock.now()
    await world.append(...names.slice(10))
    await world.advance(ENOUGH_MS)
    const { deadLetters } = world.app()
    const all = await world.letters()
    assert.deepEqual(all.map(({ event: { id } }) => id).toSorted(), names.toSorted())
    const places = all.map(({ event: { partition, offset } }) => partition * 1_000 + offset)
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    )
    const paged: string[] = []
    let after: string | undefined
    do {
      const page = await world.until(deadLetters.list({ limit: 4, ...(after ? { after } : {}) }))
      paged.push(...page.items.map(({ event: { id } }) => id))
      after = page.next
    } while (after)
    assert.deepEqual(
      paged,
      all.map(({ event: { id } }) => id),
    )
    assert.equal((await world.letters({ until: between })).length, 10)
    assert.equal((await world.letters({ since: between })).length, 15)
    assert.equal((await world.letters({ id: 'k3 1' })).length, 1)
    assert.equal((await world.letters({ type: 'work.Done' })).length, 25)
    assert.equal((await world.letters({ type: 'work.Gone' })).length, 0)
    assert.equal((await world.letters({ consumer: CONSUMER, key: 'k7' })).length, 1)
    for (const wrong of [{ limit: 0 }, { limit: 1_001 }, { after: 'x' }])
      await assert.rejects(world.until(deadLetters.list(wrong)), { code: 'OPTION_INVALID' })
    await assert.rejects(world.letters({ consumer: 'svc/none' }), { code: 'RULE_NOT_FOUND' })
    await world.stop()
  })

  test('show their message, their error and what waits behind them', async () => {
    const world = createFailingConsumer({ failure: { retry: { attempts: 2 } } })
    await world.launch()
    world.fail('a 1', () => Object.assign(new Error('the bank said no'), { code: 'E_NO' }))
    const begun = world.clock.now()
    await world.append('a 1', 'a 2', 'a 3')
    await world.advance(ENOUGH_MS)
    const [letter] = await world.letters()
    assert.ok(letter)
    assert.partialDeepStrictEqual(letter, {
      consumer: CONSUMER,
      key: 'a',
      attempts: 2,
      heldBehind: 2,
      isSkipped: false,
      data: '{"k":"a","n":1}',
    })
    assert.deepEqual([letter.event.type, letter.event.topic], ['work.Done', 'work.events'])
    assert.deepEqual([letter.error.message, letter.error.code], ['the bank said no', 'E_NO'])
    assert.match(letter.error.stack ?? '', /causes\.test\.ts/)
    assert.ok(letter.failedAt >= begun && letter.failedAt <= begun + ENOUGH_MS)
    assert.equal(letter.redriveAt, undefined)
    await world.stop()
  })
})
