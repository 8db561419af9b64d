/**
 * Product codes of charges: they are paid for, but not stocked or delivered. Codes are case-sensitive:
 * `M` and `m` are both in use.
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
