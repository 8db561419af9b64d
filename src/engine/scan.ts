import { pause } from '../base/clock.ts'
import { damageFault } from './damage.ts'
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
  const told = new Set<string>()
  while (!signal.aborted)
    try {
      for (const { topic, partition, first } of await log.ends([...plan.topics.keys()])) {
        let from = first
        for (let isOver = false; !isOver && !signal.aborted;) {
          await pause(clock, STEP_MS, signal)
          const { next, flaws } = await log.inspect(topic, partition, from, options.scanRecordsMax)
          for (const flaw of flaws) {
            const place = `${topic}/${partition}@${flaw.from}`
            if (!told.has(place))
              watch.broke(TASK, damageFault(topic, `${topic}/${partition}`, flaw))
            told.add(place)
          }
          isOver = next <= from || next - from < options.scanRecordsMax
          from = next
        }
      }
      await pause(clock, STEP_MS, signal)
    } catch (cause) {
      watch.broke(TASK, cause)
      await pause(clock, STEP_MS, signal)
    }
}
