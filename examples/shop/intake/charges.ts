/**
 * Product codes that stand for money and not for goods: they are paid for, but never picked,
 * stocked or sent. Codes are told apart by case: `M` and `m` are both in use.
 */
export const CHARGES: ReadonlyMap<string, string> = new Map([
  ['POST', 'postage'],
  ['DOT', 'postage of the web shop'],
  ['C2', 'carriage'],
  ['M', 'entered by hand'],
  ['m', 'entered by hand'],
  ['D', 'discount'],
  ['S', 'samples'],
  ['BANK CHARGES', 'fee of the bank'],
  ['AMAZONFEE', 'fee of the marketplace'],
  ['PADS', 'pads to match all cushions, priced by the fraction of a penny'],
])

export function isCharge(sku: string): boolean {
  return CHARGES.has(sku)
}
