import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isInstant, priceCents, wholeNumber } from './value.ts'

const MAX = 100_000_000

describe('whole numbers', () => {
  test('digits up to the bound are read, and nothing else', () => {
    assert.equal(wholeNumber('1', 10_000_000), 1)
    assert.equal(wholeNumber('007', 10_000_000), 7)
    assert.equal(wholeNumber('10000000', 10_000_000), 10_000_000)
    const bad = ['', '0', '00', '10000001', '-1', '+1', '1.0', '1e3', '0x10', ' 1', '1 ', '１', 'x']
    for (const text of [...bad, '9'.repeat(400)]) {
      assert.equal(wholeNumber(text, 10_000_000), undefined, text)
    }
  })

  test('every number in the bounds comes back from its digits', () => {
    const value = fc.integer({ min: 1, max: 10_000_000 })
    fc.assert(fc.property(value, (n) => assert.equal(wholeNumber(`${n}`, 10_000_000), n)))
  })
})

describe('prices', () => {
  test('decimal text is read to the penny', () => {
    const good = {
      '2.55': 255,
      '2.5': 250,
      '3': 300,
      '2.550': 255,
      '0.01': 1,
      '8.29': 829,
      '1.005000': 'bad-pence',
      '0.001': 'bad-pence',
      '0.29': 29,
      '38970': 3_897_000,
      '1000000': MAX,
      '1000000.000': MAX,
    }
    for (const [text, cents] of Object.entries(good)) {
      assert.equal(priceCents(text, MAX), cents, text)
    }
  })

  test('text that is not a price, not positive or above the bound is a bad price', () => {
    const bad = [
      '',
      '0',
      '0.00',
      '0.000',
      '-1.00',
      '-0.001',
      '1e3',
      'free',
      '.5',
      '5.',
      '+1',
      '1,5',
    ]
    const beyond = ['1000000.01', '1000000.001', '9'.repeat(400), ' 1', '1 ', 'NaN', 'Infinity']
    for (const text of [...bad, ...beyond]) assert.equal(priceCents(text, MAX), 'bad-price', text)
  })

  test('every price comes back from its digits, however many zeros follow', () => {
    const cents = fc.integer({ min: 1, max: MAX })
    fc.assert(
      fc.property(cents, fc.nat(6), (value, zeros) => {
        const digits = String(value).padStart(3, '0')
        const text = `${digits.slice(0, -2)}.${digits.slice(-2)}${'0'.repeat(zeros)}`
        assert.equal(priceCents(text, MAX), value)
      }),
    )
  })

  test('a price with any digit after the pence is never rounded', () => {
    const cents = fc.integer({ min: 0, max: MAX - 1 })
    fc.assert(
      fc.property(cents, fc.nat(8), fc.integer({ min: 1, max: 9 }), (value, zeros, digit) => {
        const digits = String(value).padStart(3, '0')
        const text = `${digits.slice(0, -2)}.${digits.slice(-2)}${'0'.repeat(zeros)}${digit}`
        assert.equal(priceCents(text, MAX), 'bad-pence')
      }),
    )
  })
})

describe('instants', () => {
  test('must exist in the calendar', () => {
    const good = [
      '2010-12-01T08:26:00Z',
      '2012-02-29T23:59:59Z',
      '2000-02-29T00:00:00Z',
      '2011-06-26T10:59:00.123456789Z',
    ]
    for (const text of good) assert.equal(isInstant(text), true, text)
    const bad = [
      '',
      '2010-12-01',
      '2010-12-01T08:26Z',
      '2010-12-01T08:26:00',
      '2010-12-01T08:26:00+01:00',
      '2010-12-01 08:26:00Z',
      '2010-12-01t08:26:00z',
      '2010-13-01T08:26:00Z',
      '2010-00-01T08:26:00Z',
      '2010-04-31T08:26:00Z',
      '2011-02-29T08:26:00Z',
      '1900-02-29T08:26:00Z',
      '2010-12-00T08:26:00Z',
      '2010-12-01T24:00:00Z',
      '2010-12-01T08:60:00Z',
      '2010-12-01T08:26:60Z',
      '2010-12-01T08:26:00.Z',
      '2010-12-01T08:26:00.1234567890Z',
      '12/1/2010 8:26',
      '2010-12-01T08:26:00Z\n',
    ]
    for (const text of bad) assert.equal(isInstant(text), false, text)
  })

  test('every existing instant is accepted', () => {
    const years = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z') }
    const date = fc.date({ ...years, noInvalidDate: true })
    fc.assert(fc.property(date, (at) => assert.equal(isInstant(at.toISOString()), true)))
  })
})
