// Inventory keeps the stock of each product. An order takes the pieces of all its lines or none.
import { entity, queryHandler, refuse, service } from 'throughline'
import type { Goods } from './contracts.ts'
import { Inventory } from './contracts.ts'

/** The stock of a product; always `start - shipped + returned = onHand`. */
interface Product {
  readonly start: number
  /** Without the pieces that were rolled back. */
  readonly shipped: number
  readonly returned: number
  readonly onHand: number
}

const unseen: Product = { start: 0, shipped: 0, returned: 0, onHand: 0 }

/** The default stock of a product when an order first names it. */
export const stockOnFirstSight = 100_000

const skusIn = ({ lines }: { lines: readonly Goods[] }): string[] => lines.map(({ sku }) => sku)

/** The pieces of one product in a list of lines. */
const piecesOf = (lines: readonly Goods[], sku: string): number =>
  lines.filter((line) => line.sku === sku).reduce((sum, { quantity }) => sum + quantity, 0)

export function productEntity(openingStock: number) {
  const openingOf = (product: Product): number => (product.start > 0 ? 0 : openingStock)
  return entity(
    'product',
    { of: Inventory, id: 'sku', initial: unseen },
    {
      decide: (on) => [
        on(Inventory.UpdateInventory, { ids: skusIn }, (asked, products) => {
          const isCovered = [...products].every(
            ([sku, product]) => piecesOf(asked.lines, sku) <= openingOf(product) + product.onHand,
          )
          if (!isCovered) return refuse('out-of-stock')
          const started = new Set<string>()
          const lines = asked.lines.map((line) => {
            const isFirst = !started.has(line.sku)
            started.add(line.sku)
            return { ...line, opening: isFirst ? openingOf(products.get(line.sku) ?? unseen) : 0 }
          })
          return Inventory.InventoryUpdated({ ...asked, lines })
        }),
        on(Inventory.RollBackInventory, { ids: skusIn }, (asked) =>
          Inventory.InventoryRolledBack(asked),
        ),
        on(Inventory.RestockInventory, { ids: skusIn }, (asked) =>
          Inventory.InventoryRestocked(asked),
        ),
      ],
      evolve: (on) => [
        on(Inventory.InventoryUpdated, { ids: skusIn }, ({ lines }, product, sku) => {
          const opening = lines.find((line) => line.sku === sku)?.opening ?? 0
          const pieces = piecesOf(lines, sku)
          return {
            ...product,
            start: product.start + opening,
            shipped: product.shipped + pieces,
            onHand: product.onHand + opening - pieces,
          }
        }),
        on(Inventory.InventoryRolledBack, { ids: skusIn }, ({ lines }, product, sku) => {
          const pieces = piecesOf(lines, sku)
          return {
            ...product,
            shipped: product.shipped - pieces,
            onHand: product.onHand + pieces,
          }
        }),
        on(Inventory.InventoryRestocked, { ids: skusIn }, ({ lines }, product, sku) => {
          const pieces = piecesOf(lines, sku)
          return {
            ...product,
            returned: product.returned + pieces,
            onHand: product.onHand + pieces,
          }
        }),
      ],
    },
  )
}

/** The service; each product has `openingStock` pieces when an order first names it. */
export function inventory(openingStock: number = stockOnFirstSight) {
  const product = productEntity(openingStock)
  const stockQueries = queryHandler('stock-queries', { of: Inventory, reads: [product] }, (on) => [
    on(Inventory.FindStock, async ({ sku }, read) => {
      const row = await read(product).get(sku)
      return row ? { sku, ...row } : null
    }),
    on(Inventory.CountStock, async (_, read) => {
      let total = unseen
      for await (const { row } of read(product).all())
        total = {
          start: total.start + row.start,
          shipped: total.shipped + row.shipped,
          returned: total.returned + row.returned,
          onHand: total.onHand + row.onHand,
        }
      return total
    }),
  ])
  return service('inventory', { owns: [Inventory], runs: [product, stockQueries] })
}
