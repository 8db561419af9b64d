// One store on which different versions of the code run one after another.
import type { App, Service } from 'throughline'
import { start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { CommitResult } from '../../../src/ports/event-store.ts'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { createSimulation } from './simulation.ts'

const id = z.string()
/** Amounts in whole units: the old version. */
export const OldAmount = z.object({ id, total: z.number() })
/** Amounts in cents: the current version. */
export const NewAmount = z.object({ id, totalCents: z.int(), currency: z.string().default('EUR') })

export const engine = { retryDelayMs: 50, retryDelayMsMax: 200 }

export function createVersionedStore(seed = 9) {
  const stage = createSimulation(memory, seed)
  const faults: string[] = []
  let conflicts = 0
  const countConflicts: Interceptor = async (method, call) => {
    const answer = await call()
    if (method === 'store.commit' && (answer as CommitResult).status === 'conflict') conflicts += 1
    return answer
  }
  const { clock } = stage
  return {
    stage,
    faults,
    /** Units that ran again because of a conflict. */
    conflicts: () => conflicts,
    async run<T>(running: Service, use: (app: App) => Promise<T>): Promise<T> {
      const { backend, random } = stage.instance(countConflicts)
      const faulted = ({ consumer, error }: { consumer: string; error: string }) =>
        void faults.push(`${consumer}: ${error.split('\n')[0]}`)
      const app = await clock.until(
        start([running], backend, { clock, random, engine, onRuleError: faulted }),
      )
      const result = await clock.until(use(app))
      await clock.until(app.stop())
      return result
    },
    async row(table: string, key: string): Promise<unknown> {
      const [row] = await clock.until(stage.backend.store.get([{ table, key }]))
      return row && JSON.parse(row.body)
    },
    async records(topic: string): Promise<readonly LogRecord[]> {
      const ends = await clock.until(stage.backend.log.ends([topic]))
      const from = ends.map(({ partition }) => ({ topic, partition, next: 0 }))
      const max = { records: 1_000, bytes: 1e7 }
      const slices = await clock.until(stage.backend.log.read(from, max, { ms: 0 }))
      return slices.flatMap(({ records }) => records)
    },
  }
}
