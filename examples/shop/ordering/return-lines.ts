// Assigns the pieces of a return to lines of earlier orders: newest order first, last line first, each
// piece at the price that was paid. Product codes are compared exactly.
import type { Goods, OrderLine, ReturnedLine } from '../contracts.ts'

/** A settled order with the lines that have not been returned. */
export interface SettledOrder {
  readonly id: string
  readonly at: number
  readonly lines: readonly OrderLine[]
}

/** The lines that cover a return, or `undefined` if they do not cover all of it. */
export function draw(
  orders: readonly SettledOrder[],
  wanted: readonly Goods[],
): ReturnedLine[] | undefined {
  const missing = new Map<string, number>()
  for (const { sku, quantity } of wanted) missing.set(sku, (missing.get(sku) ?? 0) + quantity)
  const drawn: ReturnedLine[] = []
  for (const { id: orderId, lines } of orders.toReversed())
    for (const { sku, quantity: left, unitPriceCents } of lines.toReversed()) {
      const quantity = Math.min(missing.get(sku) ?? 0, left)
      if (quantity === 0) continue
      missing.set(sku, (missing.get(sku) ?? 0) - quantity)
      drawn.push({ orderId, sku, quantity, unitPriceCents })
    }
  const isCovered = [...missing.values()].every((quantity) => quantity === 0)
  return isCovered ? drawn : undefined
}

/** The orders without the lines that were taken; orders without remaining lines are removed. */
export function subtract(
  orders: readonly SettledOrder[],
  drawn: readonly ReturnedLine[],
): SettledOrder[] {
  return orders.flatMap((order) => {
    const taken = drawn.filter(({ orderId }) => orderId === order.id)
    if (taken.length === 0) return [order]
    const lines = without(order.lines, taken)
    return lines.length === 0 ? [] : [{ ...order, lines }]
  })
}

function without(lines: readonly OrderLine[], taken: readonly ReturnedLine[]): OrderLine[] {
  const rest = taken.map((line) => ({ ...line }))
  const kept = lines.toReversed().map((line) => {
    let { quantity } = line
    for (const each of rest) {
      if (each.sku !== line.sku || each.unitPriceCents !== line.unitPriceCents) continue
      const pieces = Math.min(each.quantity, quantity)
      each.quantity -= pieces
      quantity -= pieces
    }
    return { ...line, quantity }
  })
  return kept.toReversed().filter(({ quantity }) => quantity > 0)
}

/** The value of lines at the price that was paid. */
export function valueOf(lines: readonly OrderLine[]): number {
  return lines.reduce((sumCents, line) => sumCents + line.quantity * line.unitPriceCents, 0)
}
