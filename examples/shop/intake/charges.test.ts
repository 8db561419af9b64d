import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isCharge } from './charges.ts'

test('the ten charge codes are charges', () => {
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

test('other codes, codes in another case and names of object members are not charges', () => {
  for (const sku of ['85123A', 'post', 'd', 'c2', ' POST', '', 'constructor', '__proto__', 'has']) {
    assert.equal(isCharge(sku), false, sku)
  }
})
