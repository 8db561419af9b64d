import { pause } from '../base/clock.ts'
import { Fault } from '../base/fault.ts'
import type { LogEnd } from '../ports/log.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'

const TASK = 'throughline/scan'
/** How often a few records are looked at. */
const STEP_MS = 1_000

/**
 * Looks through the whole log in the background, again and again, until the signal aborts: damage
 * that nobody reads would be found only when it is needed. Slow on purpose, at `scanRecordsMax`
 * records a second. What it finds stops its partition, as it would where a reader came to it.
 */
export async function scan(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, clock, options, plan, watch } = tools
  const { log } = backend
  if (!log.inspect || options.scanRecordsMax === 0) return
  const reported = new Set<string>()
  /** Looks through one partition, a few records at a time. */
  async function inspect({ topic, partition, first }: LogEnd): Promise<void> {
    let from = first
    for (let isOver = false; !isOver && !signal.aborted;) {
      await pause(clock, STEP_MS, signal)
      const found = await log.inspect?.(topic, partition, from, options.scanRecordsMax)
      if (!found) return
      for (const flaw of found.flaws) {
        const place = `${topic}/${partition}@${flaw.from}`
        const detail = `${place}, up to and without ${flaw.to}: ${flaw.message}`
        if (!reported.has(place)) watch.broke(TASK, new Fault('LOG_DAMAGED', { detail }))
        reported.add(place)
      }
      isOver = found.next <= from || found.next - from < options.scanRecordsMax
      from = found.next
    }
  }
  const supervised = {
    name: TASK,
    signal,
    retryDelayMs: STEP_MS,
    intervalMs: STEP_MS,
    // Its recovery takes the damage from health that it has reported under the same name.
    recover: async () => reported.clear(),
  }
  await supervise(tools, supervised, async () => {
    for (const end of await log.ends([...plan.topics.keys()])) await inspect(end)
  })
}
