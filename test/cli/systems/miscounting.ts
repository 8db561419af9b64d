// The module `counting.ts` with a projection that throws.
import { projection, service, tool } from 'throughline'
import { counter, Counting } from './counting.ts'

const times = projection('times', { by: 'id', version: 2, row: tool<number>() }, (on) => [
  on(Counting.Counted, (): number => {
    throw new Error('the abacus is broken')
  }),
])

export const services = [service('counters', { owns: [Counting], runs: [counter, times] })]
