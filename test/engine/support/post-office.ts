// A post office whose calls end once they are told to, for tests of claims. Not part of the package.
import type { App, EngineOptions, FailureOptions } from 'throughline'
import { contract, event, handler, service, start } from 'throughline'
import { memory } from 'throughline/testing'
import { z } from 'zod'
import type { Interceptor } from '../../../src/ports/intercept.ts'
import { createSimulation } from './simulation.ts'

const Parcel = z.object({ to: z.string(), n: z.int() })
const Mail = contract('mail', { key: 'to' }, { Due: event(Parcel) })
/** Longer than the ack time. */
export const LONG_MS = 2_000

export interface PostOptions extends FailureOptions {
  readonly consume?: 'stream' | 'queue'
  readonly concurrency?: number
}

export function createPost(engine: Partial<EngineOptions> = {}) {
  const stage = createSimulation(memory, 1)
  const { until } = stage.clock
  const called: string[] = []
  const ends = new Map<string, (error?: Error) => void>()
  let app: App | undefined
  return {
    until,
    called,
    running: () => ends.size,
    end(name: string, error?: Error) {
      const end = ends.get(name)
      ends.delete(name)
      end?.(error)
    },
    advance: (ms: number) => stage.clock.advance(ms),
    async launch(options: PostOptions = {}, around?: Interceptor): Promise<() => void> {
      ends.clear()
      const { backend, clock, random, crash } = stage.instance(around)
      const post = handler('post', { retry: { attempts: 5, delayMs: 1_000 }, ...options }, (on) => [
        on(Mail.Due, ({ to, n }) => {
          const name = `${to} ${n}`
          called.push(name)
          return new Promise((resolve, reject) =>
            ends.set(name, (error) => (error ? reject(error) : resolve(undefined))),
          )
        }),
      ])
      const shop = service('shop', { owns: [Mail], runs: [post] })
      const hooks = { onRuleError: () => undefined, onBackendError: () => undefined }
      const own = { leaseMs: 3_000, idleMs: 200, ...engine }
      app = await until(start([shop], backend, { clock, random, engine: own, ...hooks }))
      return crash
    },
    append: (...names: readonly string[]) =>
      until(
        (app as App).append(
          names.map((name) => {
            const [to = '', n = ''] = name.split(' ')
            return Mail.Due({ to, n: Number(n) })
          }),
        ),
      ),
    async statuses(): Promise<readonly string[]> {
      const rows = await until(stage.backend.store.statuses({ limit: 10_000 }))
      return rows.map(({ key, status, attempts }) => `${key} ${status} ${attempts}`)
    },
    async counts() {
      const [status] = await until((app as App).status())
      return [status?.completed, status?.pending, status?.dead, status?.lag]
    },
    skip: () => until((app as App).rewind('shop/post', 'latest')),
    redrive: () => until((app as App).deadLetters.redrive({ by: 'ann', reason: 'again' })),
    discard: () => until((app as App).deadLetters.discard({ by: 'ann', reason: 'no' })),
    stop: () => until((app as App).stop()),
  }
}
