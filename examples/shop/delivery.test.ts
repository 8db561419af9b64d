import { test } from 'node:test'
import { refuse } from 'throughline'
import { given } from 'throughline/testing'
import { Delivery } from './contracts.ts'
import { drop } from './delivery.ts'

const order = { orderId: '536365', customerId: 'c:17850' }
const schedule = (country: string) => Delivery.ScheduleDelivery({ ...order, country })
const scheduled = (country: string) => Delivery.DeliveryScheduled({ ...order, country })

test('delivery serves every country that has a name', () => {
  for (const country of ['United Kingdom', 'EIRE', 'RSA', 'unspecified', 'Channel Islands'])
    given(drop).when(schedule(country)).then(scheduled(country))
})

test('delivery does not serve Unspecified and European Community', () => {
  given(drop).when(schedule('Unspecified')).then(refuse('not-served'))
  given(drop).when(schedule('European Community')).then(refuse('not-served'))
})

test('an order has one drop', () => {
  given(drop, scheduled('France')).when(schedule('France')).then(refuse('already-scheduled'))
})

test('a drop is rolled back once, and only if it was scheduled', () => {
  const [rollBack, rolledBack] = [
    Delivery.RollBackDelivery(order),
    Delivery.DeliveryRolledBack(order),
  ]
  given(drop, scheduled('France')).when(rollBack).then(rolledBack)
  given(drop).when(rollBack).then(refuse('not-scheduled'))
  given(drop, scheduled('France'), rolledBack).when(rollBack).then(refuse('not-scheduled'))
})
