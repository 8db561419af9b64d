import { pause } from '../base/clock.ts'
import type { LogEnd } from '../ports/log.ts'
import { damageFault } from './damage.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'

const TASK = 'throughline/scan'
/** How often some records are read. */
const STEP_MS = 1_000

/**
 * Scans the whole log for damage in the background until the signal aborts: otherwise damage in
 * records that nobody reads is found too late. Deliberately slow, at `scanRecordsMax` records per
 * second. Damage stops its partition, as it does when a consumer reaches it.
 */
export async function scan(tools: EngineTools, signal: AbortSignal): Promise<void> {
  const { backend, clock, options, plan, watch } = tools
  const { log } = backend
  if (!log.inspect || options.scanRecordsMax === 0) return
  const reported = new Set<string>()
  /** Scans one partition, a few records at a time. */
  async function inspect({ topic, partition, first }: LogEnd): Promise<void> {
    let from = first
    for (let isOver = false; !isOver && !signal.aborted;) {
      await pause(clock, STEP_MS, signal)
      const found = await log.inspect?.(topic, partition, from, options.scanRecordsMax)
      if (!found) return
      for (const flaw of found.flaws) {
        const place = `${topic}/${partition}@${flaw.from}`
        if (!reported.has(place))
          watch.broke(TASK, damageFault(topic, `${topic}/${partition}`, flaw))
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
    // A recovery removes the reported damage from `health`, since it has the same name.
    recover: async () => reported.clear(),
  }
  await supervise(tools, supervised, async () => {
    for (const end of await log.ends([...plan.topics.keys()])) await inspect(end)
  })
}
