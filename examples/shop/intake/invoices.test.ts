import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { checkInvoice, customerKey } from './invoices.ts'
import type { Invoice, RejectedInvoice, WrittenLine } from './invoices.ts'
import { INTAKE_LIMITS } from './limits.ts'

/** Any character. The unit `binary` of fast-check first maps a million of them: more than a second. */
const character = fc.nat(0x10_ffff).map((code) => String.fromCodePoint(code).toWellFormed())

const LINE: WrittenLine = {
  line: 2,
  sku: '85123A',
  quantity: '6',
  placedAt: '2010-12-01T08:26:00Z',
  unitPrice: '2.55',
  customerId: '17850',
  country: 'United Kingdom',
}
const LONG = 'x'.repeat(INTAKE_LIMITS.idLengthMax)

function order(...changes: Partial<WrittenLine>[]): Invoice {
  const lines = changes.map((change, at) => ({ ...LINE, line: at + 2, ...change }))
  return checkInvoice('536365', lines)
}

function refund(...changes: Partial<WrittenLine>[]): Invoice {
  const lines = changes.map((change, at) => ({ ...LINE, line: at + 2, quantity: '-6', ...change }))
  return checkInvoice('C536379', lines)
}

function refused(invoice: Invoice): RejectedInvoice {
  assert.equal(invoice.kind, 'rejected', JSON.stringify(invoice))
  return invoice
}

function reasonsOf(invoice: Invoice): [number, string][] {
  return refused(invoice).complaints.map(({ line, reason }) => [line, reason])
}

describe('orders', () => {
  test('an order has the customer, country and time of its first line', () => {
    const later = { customerId: '', country: 'France', placedAt: '2010-12-01T08:27:00Z' }
    assert.deepEqual(order({}, { ...later, sku: '85123a', quantity: '1', unitPrice: '3' }), {
      kind: 'order',
      invoiceId: '536365',
      customerId: 'c:17850',
      isGuest: false,
      country: 'United Kingdom',
      placedAt: '2010-12-01T08:26:00Z',
      lines: [
        { sku: '85123A', quantity: 6, unitPriceCents: 255 },
        { sku: '85123a', quantity: 1, unitPriceCents: 300 },
      ],
    })
  })

  test('lines of one product stay apart, as they may differ in price', () => {
    const invoice = order({}, {}, { unitPrice: '2.54' })
    assert.equal(invoice.kind === 'order' && invoice.lines.length, 3)
  })

  test('a guest is the customer of one invoice alone', () => {
    const guest = order({ customerId: '' })
    assert.equal(guest.kind === 'order' && guest.isGuest, true)
    assert.equal(guest.customerId, 'g:536365')
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.string(), (one, customer, two) => {
        assert.notEqual(customerKey(one, ''), customerKey(two, customer))
        assert.equal(customerKey(one, '') === customerKey(two, ''), one === two)
      }),
    )
  })

  test('ids are any text up to the limit', () => {
    for (const id of [
      '__proto__',
      'constructor',
      'toString',
      '商品',
      '😀',
      ' ',
      '"',
      'a,b',
      LONG,
    ]) {
      const lines = [{ ...LINE, sku: id, customerId: id, country: id }]
      const invoice = checkInvoice(id, lines)
      assert.equal(invoice.kind, 'order', id)
      assert.equal(invoice.invoiceId, id)
      assert.equal(invoice.customerId, `c:${id}`)
      assert.equal(invoice.kind === 'order' && invoice.lines[0]?.sku, id)
    }
  })
})

describe('refusals', () => {
  test('quantities of an order', () => {
    for (const quantity of ['0', '-1', '1.5', '', 'x', ' 1', '10000001', '1e3', '-0']) {
      assert.deepEqual(reasonsOf(order({ quantity })), [[2, 'bad-quantity']], quantity)
    }
    assert.equal(order({ quantity: '10000000' }).kind, 'order')
  })

  test('prices of an order', () => {
    for (const unitPrice of ['0', '-1.00', '', 'free', '1e3', '1000000.01']) {
      assert.deepEqual(reasonsOf(order({ unitPrice })), [[2, 'bad-price']], unitPrice)
    }
    for (const unitPrice of ['0.001', '2.555']) {
      assert.deepEqual(reasonsOf(order({ unitPrice })), [[2, 'bad-pence']], unitPrice)
    }
    assert.equal(order({ unitPrice: '1000000.00' }).kind, 'order')
  })

  test('dates, ids and countries', () => {
    const malformed: Partial<WrittenLine>[] = [
      { placedAt: '12/1/2010 8:26' },
      { placedAt: '' },
      { sku: '' },
      { sku: `${LONG}x` },
      { sku: 'a\u0000b' },
      { sku: 'a\nb' },
      { sku: 'a\ud800' },
      { customerId: `${LONG}x` },
      { customerId: 'caf\ufffd' },
      { country: '' },
      { country: `${LONG}x` },
    ]
    for (const change of malformed) {
      assert.deepEqual(reasonsOf(order({}, change)), [[3, 'malformed']], JSON.stringify(change))
      assert.deepEqual(reasonsOf(refund({}, change)), [[3, 'malformed']], JSON.stringify(change))
    }
  })

  test('one invalid line rejects all, and all complaints are listed by line', () => {
    const invoice = refused(
      order(
        { unitPrice: '0.001' },
        {},
        { quantity: '-1', unitPrice: '0' },
        {
          sku: '',
          quantity: 'x',
          placedAt: 'x',
          unitPrice: 'x',
          customerId: `${LONG}x`,
          country: '',
        },
      ),
    )
    assert.deepEqual(reasonsOf(invoice), [
      [2, 'bad-pence'],
      [4, 'bad-quantity'],
      [4, 'bad-price'],
      [5, 'malformed'],
      [5, 'bad-quantity'],
      [5, 'malformed'],
      [5, 'bad-price'],
      [5, 'malformed'],
      [5, 'malformed'],
    ])
    assert.equal(invoice.complaintCount, 9)
    assert.equal(invoice.rowCount, 4)
    assert.equal(invoice.reason, 'malformed')
  })

  test('the reason is the most serious one, not the first', () => {
    const pence = { unitPrice: '0.001' }
    const price = { unitPrice: '0' }
    const quantity = { quantity: '0' }
    assert.equal(refused(order(pence)).reason, 'bad-pence')
    assert.equal(refused(order(pence, price)).reason, 'bad-price')
    assert.equal(refused(order(pence, price, quantity)).reason, 'bad-quantity')
    assert.equal(refused(order(pence, price, quantity, { sku: '' })).reason, 'malformed')
  })

  test('a complaint shows the text that is wrong, escaped and cut', () => {
    const [complaint] = refused(order({ quantity: `\u001b[2J${'9'.repeat(60_000)}` })).complaints
    assert.match(complaint?.message ?? '', /^quantity "\\u001b\[2J9+"… \(60,004 characters\) is no/)
    assert.ok((complaint?.message.length ?? 0) < 200)
  })

  test('complaints are capped, counted, and the reason is that of all', () => {
    const { complaintsMax } = INTAKE_LIMITS
    const prices = Array<Partial<WrittenLine>>(complaintsMax + 20).fill({ unitPrice: '0' })
    const invoice = refused(order(...prices, { sku: '' }))
    assert.equal(invoice.complaints.length, complaintsMax)
    assert.equal(invoice.complaintCount, complaintsMax + 21)
    assert.equal(invoice.reason, 'malformed')
  })

  test('an invoice of too many lines says so, whatever else is wrong', () => {
    const { linesPerInvoiceMax, complaintsMax } = INTAKE_LIMITS
    assert.equal(order(...Array(linesPerInvoiceMax).fill({})).kind, 'order')
    const invoice = refused(order(...Array(linesPerInvoiceMax + 1).fill({ unitPrice: '0' })))
    assert.equal(invoice.reason, 'malformed')
    assert.equal(invoice.complaints.length, complaintsMax)
    const complaint = invoice.complaints.find(({ reason }) => reason === 'malformed')
    assert.equal(complaint?.line, linesPerInvoiceMax + 2)
    assert.match(complaint?.message ?? '', /one of 5,001 lines: an invoice has 5,000 at most/)
  })

  test('the value of an order is limited to what a number holds exactly', () => {
    const most = { quantity: '10000000', unitPrice: '1000000' }
    const exact = order(...Array(9).fill(most))
    assert.equal(exact.kind, 'order')
    const beyond = order(...Array(9).fill(most), { quantity: '1', unitPrice: '0.01' }, {})
    assert.deepEqual(reasonsOf(beyond), [[11, 'bad-price']])
  })

  test('a malformed line refuses the invoice; its customer is the first that reads', () => {
    const malformed = { line: 2, malformed: 'it has 2 fields in place of 8' }
    const invoice = refused(checkInvoice('1', [malformed, LINE]))
    assert.deepEqual(invoice.complaints, [
      { line: 2, reason: 'malformed', message: 'it has 2 fields in place of 8' },
    ])
    assert.equal(invoice.customerId, 'c:17850')
    assert.equal(checkInvoice('1', [malformed]).customerId, 'g:1')
    assert.equal(order({ customerId: `${LONG}x` }, {}).customerId, 'c:17850')
  })

  test('an invoice without lines or with an invalid number is rejected', () => {
    assert.equal(refused(checkInvoice('1', [])).reason, 'malformed')
    for (const invoiceId of ['', `${LONG}x`, 'a\tb']) {
      const invoice = refused(checkInvoice(invoiceId, [LINE]))
      assert.equal(invoice.reason, 'malformed')
      assert.ok(invoice.invoiceId.length <= INTAKE_LIMITS.idLengthMax)
    }
  })
})

describe('returns', () => {
  test('a return has positive pieces and no price', () => {
    assert.deepEqual(refund({}, { sku: 'POST', quantity: '-1', unitPrice: 'free' }), {
      kind: 'return',
      invoiceId: 'C536379',
      customerId: 'c:17850',
      isGuest: false,
      lines: [
        { sku: '85123A', quantity: 6 },
        { sku: 'POST', quantity: 1 },
      ],
    })
  })

  test('its price is not checked', () => {
    for (const unitPrice of ['', '0', '-1', '0.001', 'x', '9'.repeat(99)]) {
      assert.equal(refund({ unitPrice }).kind, 'return', unitPrice)
    }
  })

  test('its quantities are negative whole numbers', () => {
    for (const quantity of ['6', '0', '-0', '-1.5', '--1', '-', '', '- 1', '-10000001', 'x']) {
      assert.deepEqual(reasonsOf(refund({ quantity })), [[2, 'bad-quantity']], quantity)
    }
    assert.equal(refund({ quantity: '-10000000' }).kind, 'return')
  })

  test('a return without a customer is that of a guest', () => {
    const invoice = refund({ customerId: '' })
    assert.equal(invoice.customerId, 'g:C536379')
    assert.equal(invoice.kind === 'return' && invoice.isGuest, true)
  })
})

test('property: no text throws, and every rejection has a complaint', () => {
  const text = fc.oneof(
    fc.string({ unit: character }),
    fc.constantFrom('', '0', '1', '-1', 'C1', '__proto__', 'constructor'),
  )
  const written = fc.record<WrittenLine>({
    line: fc.nat(),
    sku: text,
    quantity: text,
    placedAt: fc.oneof(text, fc.constant(LINE.placedAt)),
    unitPrice: text,
    customerId: text,
    country: text,
  })
  fc.assert(
    fc.property(text, fc.array(written), (invoiceId, lines) => {
      const invoice = checkInvoice(invoiceId, lines)
      if (invoice.kind !== 'rejected') {
        assert.equal(invoice.lines.length, lines.length)
        assert.ok(invoice.lines.every(({ quantity }) => quantity > 0))
        return
      }
      assert.ok(invoice.complaints.some(({ reason }) => reason === invoice.reason))
      assert.equal(invoice.rowCount, lines.length)
    }),
  )
})
