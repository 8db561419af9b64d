// The five services of the shop.
import { account } from './account.ts'
import { delivery } from './delivery.ts'
import { inventory } from './inventory.ts'
import { ordering } from './ordering/service.ts'
import { payment } from './payment.ts'

export const shop = (openingStock?: number) =>
  [ordering, payment, inventory(openingStock), delivery, account] as const
