import { sleep } from '../../base/time/clock.ts'
import type { LogEnd } from '../../ports/event-log.ts'
import { damageFault, supervise } from '../context/index.ts'
import type { EngineContext } from '../context/index.ts'

const TASK = 'throughline/scan'
/** How often some records are read. */
const STEP_MS = 1_000

/**
 * Scans the whole log for damage in the background until the signal aborts: otherwise damage in
 * records that nobody reads is found too late. Deliberately slow, at
 * `damageScanRecordsPerSecondMax` records per second. Damage stops its partition, as it does when a consumer reaches it.
 */
export async function runDamageScan(engine: EngineContext, signal: AbortSignal): Promise<void> {
  const { backend, clock, options, plan, monitor } = engine
  const { log } = backend
  if (!log.inspect || options.damageScanRecordsPerSecondMax === 0) return
  const reported = new Set<string>()
  /** Scans one partition, a few records at a time. */
  async function inspect({ topic, partition, first }: LogEnd): Promise<void> {
    const place = `${topic}/${partition}`
    // Damage has a name of its own in `health`, so that the scan's recovery does not hide it.
    const name = `${TASK} ${place}`
    let from = first
    let isSound = true
    for (let isOver = false; !isOver && !signal.aborted;) {
      await sleep(clock, STEP_MS, signal)
      const found = await log.inspect?.(
        topic,
        partition,
        from,
        options.damageScanRecordsPerSecondMax,
      )
      if (!found) return
      for (const range of found.damaged) {
        isSound = false
        if (!reported.has(`${place}@${range.from}`))
          monitor.failed(name, damageFault(topic, place, range))
        reported.add(`${place}@${range.from}`)
      }
      isOver = found.next <= from || found.next - from < options.damageScanRecordsPerSecondMax
      from = found.next
    }
    if (isSound && !signal.aborted) monitor.recovered(name)
  }
  const supervised = { name: TASK, signal, pauseMs: STEP_MS, intervalMs: STEP_MS }
  await supervise(engine, supervised, async () => {
    for (const end of await log.ends([...plan.topics.keys()])) await inspect(end)
  })
}
