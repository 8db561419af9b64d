// Ordering accepts orders and returns and coordinates each until it has settled.
import { service } from 'throughline'
import { Ordering } from '../contracts.ts'
import { customer } from './customer.ts'
import { fulfilment } from './fulfilment.ts'
import { invoiceTotals, invoices, invoiceQueries } from './invoices.ts'
import { order } from './order.ts'
import { rejection } from './rejection.ts'
import { returning } from './returning.ts'

export const ordering = service('ordering', {
  owns: [Ordering],
  runs: [
    order,
    customer,
    rejection,
    fulfilment,
    returning,
    invoices,
    invoiceQueries,
    invoiceTotals,
  ],
})
