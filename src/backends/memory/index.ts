import { createNotifier } from '../../base/time/notifier.ts'
import type { Clock } from '../../base/time/clock.ts'
import { sleep, systemClock } from '../../base/time/clock.ts'
import type { Backend } from '../../ports/event-store.ts'
import { createMemoryLog } from './memory-log.ts'
import { createMemoryStore } from './memory-store.ts'
import { createTables } from './tables.ts'
import { createTopics } from './topics.ts'

export interface MemoryOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock
  /** Latency of a request and of its response, called for each. Default: none. */
  readonly latencyMs?: () => number
}

/**
 * A backend that keeps everything in this process, for tests and simulation. It keeps all promises of a
 * durable backend until the process ends, and frees memory only by `trim`.
 */
export function memory(options: MemoryOptions = {}): Backend {
  const { clock = systemClock(), latencyMs } = options
  const topics = createTopics(clock)
  const tables = createTables()
  const notifier = createNotifier(clock)
  const delay = latencyMs ? () => sleep(clock, latencyMs()) : () => Promise.resolve()
  return {
    log: createMemoryLog(topics, notifier, delay),
    store: createMemoryStore({ topics, tables, notifier: notifier, clock, delay }),
  }
}
