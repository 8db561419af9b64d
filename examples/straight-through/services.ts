import { serviceA } from './service-a.ts'
import { serviceB } from './service-b.ts'
import { serviceC } from './service-c.ts'

/** All services; `answerWithinMs` is how long DOWNSTREAM_B may take. */
export const straightThrough = (answerWithinMs?: number) =>
  [serviceA, serviceB(answerWithinMs), serviceC] as const
