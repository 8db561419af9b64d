import type { Builds } from './builds.ts'
import { gather } from './gathering.ts'
import type { Group, ServicePlan } from './plan.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'
import type { Worker } from './worker.ts'
import { isOutsideGroup, workerOf } from './worker.ts'

/** The loop that polls a group's partitions and runs its rules. */
export interface Processor {
  /** Runs until stopped. */
  run(): Promise<void>
  /** Takes no new work, and ends after the current unit. */
  stop(): void
  /** Aborts running handlers. */
  abort(): void
  /** Records that running handlers are left behind: they did not crash the process. */
  leave(): Promise<void>
}

/**
 * Runs one batch after another: gather, run the rules, commit. After any backend error, it drops
 * its state in memory and continues from what is committed.
 */
export function processor(
  engine: EngineTools,
  service: ServicePlan,
  group: Group,
  builds: Builds,
): Processor {
  const { delays, options, pauses, watch } = engine
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  const signals = { stopping: stopping.signal, aborting: aborting.signal }
  const worker = workerOf(engine, service, group, signals, builds)
  const { sources, outside, unended } = worker
  const isOutside = isOutsideGroup(group)
  const changes = changesOf(engine, service, group, worker)

  async function turn(): Promise<void> {
    if (await changes.isChanged()) await worker.reset()
    const gathered = await gather(sources, stopping.signal)
    if (stopping.signal.aborted || pauses.isPaused(service.name)) return
    const begun = await unended.begin(gathered)
    try {
      const isCalled = isOutside && !begun.items.some(({ flaw }) => flaw)
      let left = await worker.work(isCalled ? await outside.attempt(begun) : begun)
      while (left && !stopping.signal.aborted && (await changes.mayGoOn()))
        left = await worker.work(left)
    } finally {
      unended.done()
    }
  }

  /**
   * Commits handler calls that end within the grace period, so that the next start need not repeat
   * them.
   */
  async function drain(): Promise<void> {
    for (let left = await outside.drain(); left; left = await outside.drain())
      await worker.work(left)
  }

  return {
    async run() {
      const supervised = {
        name: group.name,
        signal: stopping.signal,
        retryDelayMs: options.retryDelayMs,
        // Do not work on partly loaded state: a missing hold would break its key's order.
        recover: worker.reset,
        onFailure(): void {
          if (sources.claims.isLapsed()) sources.slots?.keep(() => false)
        },
      }
      const { hasFailed } = await supervise(engine, supervised, async () => {
        await pauses.look()
        await delays.look(isWaiting(sources))
        if (pauses.isPaused(service.name)) await pauses.changed(stopping.signal)
        else await turn()
      })
      const ended = hasFailed ? Promise.resolve() : drain()
      const released = ended.then(unended.end).finally(() => sources.claims.release())
      await released.catch((cause: unknown) => watch.broke(group.name, cause))
    },
    stop: () => stopping.abort(),
    abort: () => aborting.abort(),
    leave: unended.end,
  }
}

/** Detects that state in memory, or a batch in progress, is out of date. */
function changesOf(
  { clock, pauses, watch }: EngineTools,
  service: ServicePlan,
  group: Group,
  worker: Worker,
) {
  const { claims } = worker.sources
  let rewindsSeen = 0
  return {
    /** Whether state in memory may be out of date, after a heartbeat or a rewind. */
    async isChanged(): Promise<boolean> {
      const rewound = pauses.rewinds(service.name)
      const isRewound = rewound !== rewindsSeen
      rewindsSeen = rewound
      const isOther = isRewound || worker.isOutOfDate()
      if (clock.elapsed() < claims.beatDue()) return isOther
      const answer = await claims.beat()
      watch.shared(group.name, claims.share())
      return isOther || answer === 'changed'
    },
    /** Whether to continue with a gathered batch. Sends no heartbeat. */
    async mayGoOn(): Promise<boolean> {
      await pauses.look()
      const isSame = pauses.rewinds(service.name) === rewindsSeen && !worker.isOutOfDate()
      return isSame && clock.elapsed() < claims.beatDue() && !pauses.isPaused(service.name)
    },
  }
}

/** Whether a delay is running that a restart must not begin again. */
function isWaiting({ holds, timers }: Worker['sources']): boolean {
  return holds.count() > 0 || timers.nextDue() < Infinity
}
