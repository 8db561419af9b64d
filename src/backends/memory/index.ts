import { bell } from '../../base/bell.ts'
import type { Clock } from '../../base/clock.ts'
import { pause, systemClock } from '../../base/clock.ts'
import type { Backend } from '../../ports/store.ts'
import { memoryLog } from './log.ts'
import { memoryStore } from './store.ts'
import { emptyTables } from './tables.ts'
import { emptyTopics } from './topics.ts'

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
  const topics = emptyTopics(clock)
  const tables = emptyTables()
  const notifier = bell(clock)
  const delay = latencyMs ? () => pause(clock, latencyMs()) : () => Promise.resolve()
  return {
    log: memoryLog(topics, notifier, delay),
    store: memoryStore({ topics, tables, bell: notifier, clock, delay }),
  }
}
