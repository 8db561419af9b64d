import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCharge } from './charges.ts'

test('the ten codes that stand for money are charges', () => {
  for (const sku of [
    'POST',
    'DOT',
    'M',
    'm',
    'D',
    'S',
    'C2',
    'BANK CHARGES',
    'AMAZONFEE',
    'PADS',
  ]) {
    assert.equal(isCharge(sku), true, sku)
  }
})

test('goods are no charges, nor are codes of another case, nor names that objects have', () => {
  for (const sku of ['85123A', 'post', 'd', 'c2', ' POST', '', 'constructor', '__proto__', 'has']) {
    assert.equal(isCharge(sku), false, sku)
  }
})
