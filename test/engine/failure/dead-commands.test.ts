// A command that becomes a dead letter answers whoever sent it: its operation, and its saga, which waits
// or compensates. A compensation is never held up by the command that it undoes.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Bank, Shop, createPayingServices } from '../support/paying-services.ts'

/** Longer than all attempts take, and what a saga does then. */
const ENOUGH_MS = 5_000
const FAILED = { status: 'failed', reason: 'cannot charge 1' }

suite('a dead command answers its client', () => {
  test('as failed, with the reason, until a redrive decides it', async () => {
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.send(Bank.Charge({ order: '1', account: 'acc' }), 'c1')
    assert.deepEqual(await world.until(operation.accepted()), FAILED)
    assert.deepEqual(await world.until(operation.settled()), FAILED)
    assert.deepEqual(await world.until(operation.state()), FAILED)
    world.failing.clear()
    assert.deepEqual(await world.redrive(), { done: 1, skipped: 0 })
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.until(operation.accepted()), { status: 'accepted' })
    assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
    assert.deepEqual(await world.account(), ['charge 1'])
    await world.stop()
  })

  test('also after a restart, and for an operation that is looked up by its id', async () => {
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    await world.send(Bank.Charge({ order: '1', account: 'acc' }), 'c1')
    await world.advance(ENOUGH_MS)
    await world.stop()
    await world.launch()
    const found = world.app().operation(Bank.Charge, 'c1')
    assert.deepEqual(await world.until(found.accepted()), FAILED)
    const { items } = await world.until(world.app().operations({ state: 'failed' }))
    assert.deepEqual(
      items.map(({ id }) => id),
      ['c1'],
    )
    await world.stop()
  })

  test('not before its attempts are used up', async () => {
    const world = await createPayingServices({
      onFailed: 'wait',
      engine: { retryDelayMs: 10_000, retryDelayMsMax: 10_000, retryAttemptsMax: 5 },
    })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.send(Bank.Charge({ order: '1', account: 'acc' }), 'c1')
    await world.advance(1_000)
    assert.deepEqual(await world.until(operation.state()), { status: 'pending', isAccepted: false })
    world.failing.clear()
    await world.advance(60_000)
    assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
    await world.stop()
  })

  test('again where a redrive fails', async () => {
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.send(Bank.Charge({ order: '1', account: 'acc' }), 'c1')
    await world.advance(ENOUGH_MS)
    await world.redrive()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.until(operation.accepted()), FAILED)
    assert.deepEqual(await world.counts(), {
      accepted: 1,
      completed: 0,
      dead: 1,
      discarded: 0,
      pending: 0,
    })
    await world.stop()
  })
})

suite('a saga whose command is dead', () => {
  test('that waits for a redrive completes when it comes', async () => {
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.heard, ['1: cannot charge 1'])
    assert.deepEqual(await world.letters(), ['bank.Charge 1'])
    assert.equal((await world.until(operation.state())).status, 'pending')
    world.failing.clear()
    await world.redrive()
    assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
    assert.deepEqual(await world.account(), ['charge 1'])
    await world.stop()
  })

  test('hears of each time that it fails', async () => {
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(ENOUGH_MS)
    await world.redrive()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(world.heard, ['1: cannot charge 1', '1: cannot charge 1'])
    world.failing.clear()
    await world.redrive()
    assert.deepEqual(await world.until(operation.settled()), { status: 'completed' })
    await world.stop()
  })

  test('hears of it once, also where the process crashes', async () => {
    for (const crashAtMs of [5, 20, 40, 60, 80, 100, 150, 200]) {
      const world = await createPayingServices({ onFailed: 'compensate', seed: crashAtMs })
      const crash = await world.launch()
      world.failing.add('charge 1')
      await world.place('1')
      await world.advance(crashAtMs)
      crash()
      await world.launch()
      await world.advance(30_000)
      const operation = world.app().operation(Shop.Place, 'place 1')
      const settled = await world.until(operation.settled())
      assert.deepEqual(settled, { status: 'rolled-back', reason: 'refunded' })
      assert.deepEqual(await world.account(), ['refund 1'], `crash at ${crashAtMs} ms`)
      const { dead, discarded, pending } = await world.counts()
      assert.deepEqual([dead, discarded, pending], [0, 1, 0])
      await world.stop()
    }
  })
})

suite('a compensation takes the place of the command that it undoes', () => {
  test('if that is dead under the same key, and later commands of the key go on', async () => {
    const world = await createPayingServices({ onFailed: 'compensate' })
    await world.launch()
    for (const name of ['charge 1', 'refund 1']) world.failing.add(name)
    const operation = await world.place('1')
    // It has arrived and is retried, while these wait behind it.
    await world.advance(40)
    for (const order of ['7', '8']) await world.send(Bank.Note({ order, account: 'acc' }))
    world.failing.delete('refund 1')
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account(), ['refund 1', 'note 7', 'note 8'])
    const settled = { status: 'rolled-back', reason: 'refunded' }
    assert.deepEqual(await world.until(operation.settled()), settled)
    assert.deepEqual(world.heard, ['1: cannot charge 1'])
    assert.deepEqual(await world.letters(), [])
    assert.equal(await world.heldKeys(), 0)
    const charge = await world.chargeStatus()
    assert.deepEqual([charge?.status, charge?.resolution], ['FAILED', 'DISCARDED'])
    assert.match(charge?.detail ?? '', /discardedBy/)
    assert.deepEqual(await world.counts(), {
      accepted: 4,
      completed: 3,
      dead: 0,
      discarded: 1,
      pending: 0,
    })
    await world.stop()
  })

  test('if commands of the key waited behind it for long', async () => {
    // The saga waits; only a cancellation undoes the charge.
    const world = await createPayingServices({ onFailed: 'wait' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(ENOUGH_MS)
    for (const order of ['7', '8']) await world.send(Bank.Note({ order, account: 'acc' }))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account(), [])
    await world.send(Shop.Cancel({ order: '1', account: 'acc' }))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account(), ['refund 1', 'note 7', 'note 8'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    const { completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([completed, dead, discarded, pending], [3, 0, 1, 0])
    await world.stop()
  })

  test('if that is dead under another key, whose later commands go on', async () => {
    const world = await createPayingServices({ onFailed: 'compensate', refundTo: 'other' })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(40)
    for (const order of ['7', '8']) await world.send(Bank.Note({ order, account: 'acc' }))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account('other'), ['refund 1'])
    assert.deepEqual(await world.account(), ['note 7', 'note 8'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    assert.deepEqual(await world.letters(), [])
    const charge = await world.chargeStatus()
    assert.deepEqual([charge?.status, charge?.resolution], ['FAILED', 'DISCARDED'])
    const { accepted, completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([accepted, completed, dead, discarded, pending], [4, 3, 0, 1, 0])
    await world.stop()
  })

  test('if it has to wait behind another message of its own key first', async () => {
    const world = await createPayingServices({ onFailed: 'compensate', refundTo: 'other' })
    await world.launch()
    for (const name of ['charge 1', 'note 9']) world.failing.add(name)
    await world.send(Bank.Note({ order: '9', account: 'other' }))
    const operation = await world.place('1')
    await world.advance(ENOUGH_MS)
    await world.send(Bank.Note({ order: '7', account: 'acc' }))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account('other'), [])
    world.failing.delete('note 9')
    const { deadLetters } = world.app()
    const one = { key: 'other', by: 'ann', reason: 'there is a pencil again' }
    assert.equal((await world.until(deadLetters.redrive(one))).done, 1)
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account('other'), ['note 9', 'refund 1'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    assert.deepEqual(await world.letters(), [])
    assert.deepEqual(await world.account(), ['note 7'])
    const { completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([completed, dead, discarded, pending], [3, 0, 1, 0])
    await world.stop()
  })

  const SLOWLY = { retryDelayMs: 2_000, retryDelayMsMax: 2_000, retryAttemptsMax: 4 }

  test('if it waits behind a command that is still retried, and then fails', async () => {
    const world = await createPayingServices({ onFailed: 'wait', engine: SLOWLY })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(100)
    await world.send(Bank.Note({ order: '7', account: 'acc' }))
    await world.send(Shop.Cancel({ order: '1', account: 'acc' }))
    await world.advance(100)
    await world.send(Bank.Note({ order: '8', account: 'acc' }))
    await world.advance(100)
    assert.equal((await world.chargeStatus())?.status, 'RETRY')
    assert.equal((await world.counts()).pending, 4)
    await world.advance(20_000)
    assert.deepEqual(await world.account(), ['refund 1', 'note 7', 'note 8'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    assert.deepEqual(world.heard, [], 'the command that is undone asks for nothing more')
    const charge = await world.chargeStatus()
    assert.deepEqual([charge?.status, charge?.resolution], ['FAILED', 'DISCARDED'])
    const { accepted, completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([accepted, completed, dead, discarded, pending], [4, 3, 0, 1, 0])
    assert.equal(await world.heldKeys(), 0)
    await world.stop()
  })

  test('if the command fails while it waits behind another message of its own key', async () => {
    const options = { onFailed: 'wait', refundTo: 'other', engine: SLOWLY } as const
    const world = await createPayingServices(options)
    await world.launch()
    for (const name of ['charge 1', 'note 9']) world.failing.add(name)
    await world.send(Bank.Note({ order: '9', account: 'other' }))
    await world.advance(20_000)
    assert.deepEqual(await world.letters(), ['bank.Note 9'])
    const operation = await world.place('1')
    await world.advance(100)
    await world.send(Shop.Cancel({ order: '1', account: 'acc' }))
    await world.advance(100)
    assert.equal((await world.chargeStatus())?.status, 'RETRY')
    await world.send(Bank.Note({ order: '7', account: 'acc' }))
    await world.advance(20_000)
    assert.equal((await world.letters()).length, 2, 'the charge has failed, too')
    world.failing.delete('note 9')
    const one = { key: 'other', by: 'ann', reason: 'there is a pencil again' }
    assert.equal((await world.until(world.app().deadLetters.redrive(one))).done, 1)
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account('other'), ['note 9', 'refund 1'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    assert.deepEqual(await world.letters(), [])
    assert.deepEqual(await world.account(), ['note 7'])
    const { completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([completed, dead, discarded, pending], [3, 0, 1, 0])
    await world.stop()
  })

  test('not if the command succeeds in a retry: then both are handled, in their order', async () => {
    const world = await createPayingServices({ onFailed: 'wait', engine: SLOWLY })
    await world.launch()
    world.failing.add('charge 1')
    const operation = await world.place('1')
    await world.advance(100)
    await world.send(Shop.Cancel({ order: '1', account: 'acc' }))
    await world.advance(100)
    await world.send(Bank.Note({ order: '8', account: 'acc' }))
    world.failing.clear()
    await world.advance(20_000)
    assert.deepEqual(await world.account(), ['charge 1', 'refund 1', 'note 8'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    const { completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([completed, dead, discarded, pending], [3, 0, 0, 0])
    await world.stop()
  })

  test('and is a dead letter itself if it fails, with the later commands behind it', async () => {
    const world = await createPayingServices({ onFailed: 'compensate' })
    await world.launch()
    for (const name of ['charge 1', 'refund 1']) world.failing.add(name)
    const operation = await world.place('1')
    await world.advance(ENOUGH_MS)
    await world.send(Bank.Note({ order: '7', account: 'acc' }))
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.letters(), ['bank.Refund 1'])
    const { dead, discarded, pending } = await world.counts()
    assert.deepEqual([dead, discarded, pending], [1, 1, 1])
    world.failing.clear()
    await world.redrive()
    await world.advance(ENOUGH_MS)
    assert.deepEqual(await world.account(), ['refund 1', 'note 7'])
    assert.equal((await world.until(operation.settled())).status, 'rolled-back')
    await world.stop()
  })

  test('whichever of many commands of a key it is', async () => {
    const world = await createPayingServices({ onFailed: 'compensate' })
    await world.launch()
    const orders = ['1', '2', '3', '4', '5']
    for (const order of ['2', '3', '5']) world.failing.add(`charge ${order}`)
    const operations = []
    for (const order of orders) operations.push(await world.place(order))
    await world.advance(20_000)
    const outcomes = await world.until(Promise.all(operations.map((each) => each.settled())))
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['completed', 'rolled-back', 'rolled-back', 'completed', 'rolled-back'],
    )
    const account = await world.account()
    assert.deepEqual(account.toSorted(), [
      'charge 1',
      'charge 4',
      'refund 2',
      'refund 3',
      'refund 5',
    ])
    const { accepted, completed, dead, discarded, pending } = await world.counts()
    assert.deepEqual([accepted, completed, dead, discarded, pending], [8, 5, 0, 3, 0])
    await world.stop()
  })
})
