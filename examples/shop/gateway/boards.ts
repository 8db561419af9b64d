// The board that the page shows for the shop.
import type { App } from 'throughline'
import type { Board } from 'throughline/admin'
import { Ordering } from '../contracts.ts'

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** The number of orders and returns by status. */
export function boards(app: Pick<App, 'ask'>): readonly Board[] {
  return [
    {
      title: 'Orders',
      tones: { completed: 'good', returned: 'undone', 'rolled back': 'undone', refused: 'bad' },
      async states() {
        const counted = await app.ask(Ordering.CountInvoices({}))
        const { accepted, completed, returned } = counted
        const rolledBack = total(counted.rolledBack)
        return {
          'under way': accepted - completed - rolledBack - returned,
          completed,
          returned,
          'rolled back': rolledBack,
          refused: total(counted.refused),
        }
      },
    },
  ]
}
