// Ordering takes the orders and the returns, and sees each through to its end.
import { service } from 'throughline'
import { Ordering } from '../contracts.ts'
import { customer } from './customer.ts'
import { fulfilment } from './fulfilment.ts'
import { counting, invoices, looking } from './invoices.ts'
import { order } from './order.ts'
import { rejection } from './rejection.ts'
import { returning } from './returning.ts'

export const ordering = service('ordering', {
  owns: [Ordering],
  runs: [order, customer, rejection, fulfilment, returning, invoices, looking, counting],
})
