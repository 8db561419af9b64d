// What a return takes out of earlier orders: newest order first, in it the last line first, each
// piece at the price that was paid. Product codes compare exactly.
import type { Goods, OrderLine, ReturnedLine } from '../contracts.ts'
import type { StandingOrder } from './customer.ts'

/** The lines that cover a return, or nothing when any of it is not covered: whole or not at all. */
export function draw(
  orders: readonly StandingOrder[],
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

/** What is left of orders once lines were drawn; an order of which nothing is left goes. */
export function subtract(
  orders: readonly StandingOrder[],
  drawn: readonly ReturnedLine[],
): StandingOrder[] {
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

/** What lines are worth at the price paid. */
export function valueOf(lines: readonly OrderLine[]): number {
  return lines.reduce((sumCents, line) => sumCents + line.quantity * line.unitPriceCents, 0)
}
