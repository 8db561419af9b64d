import type { ProjectionStateStore } from '../projections/index.ts'
import { gatherBatch } from './gather-batch.ts'
import type { ConsumerGroup, ServicePlan } from '../plan/index.ts'
import { supervise } from '../context/index.ts'
import type { EngineContext } from '../context/index.ts'
import type { BatchWorker } from './batch-worker.ts'
import { createBatchWorker } from './batch-worker.ts'
import { isHandlerGroup } from './unit-runner.ts'

/** The loop that polls a group's partitions and runs its rules. */
export interface Processor {
  /** Runs until stopped. */
  run(): Promise<void>
  /** Takes no new work, and ends after the current unit. */
  stop(): void
  /** Aborts running handlers. */
  abort(): void
  /** Records that running handlers are left behind: they did not crash the process. */
  abandon(): Promise<void>
}

/**
 * Runs one batch after another: gather, run the rules, commit. After any backend error, it drops
 * its state in memory and continues from what is committed.
 */
export function createProcessor(
  engine: EngineContext,
  service: ServicePlan,
  group: ConsumerGroup,
  projectionStates: ProjectionStateStore,
): Processor {
  const { delays, options, pauses, monitor } = engine
  const [stopping, aborting] = [new AbortController(), new AbortController()]
  const signals = { stopping: stopping.signal, aborting: aborting.signal }
  const worker = createBatchWorker(engine, service, group, signals, projectionStates)
  const { sources, handlerCaller, crashGuard } = worker
  const isHandler = isHandlerGroup(group)
  const changeDetector = createChangeDetector(engine, service, group, worker)

  async function runOnce(): Promise<void> {
    if (await changeDetector.isChanged()) await worker.reset()
    const batch = await gatherBatch(sources, stopping.signal)
    if (stopping.signal.aborted || pauses.isPaused(service.name)) return
    const begun = await crashGuard.begin(batch)
    try {
      const isCalled = isHandler && !begun.deliveries.some(({ fault }) => fault)
      let left = await worker.work(isCalled ? await handlerCaller.callAll(begun) : begun)
      while (left && !stopping.signal.aborted && (await changeDetector.mayGoOn()))
        left = await worker.work(left)
    } finally {
      crashGuard.endBatch()
    }
  }

  /**
   * Commits handler calls that end within the grace period, so that the next start need not repeat
   * them.
   */
  async function drain(): Promise<void> {
    for (let left = await handlerCaller.drain(); left; left = await handlerCaller.drain())
      await worker.work(left)
  }

  return {
    async run() {
      const supervised = {
        name: group.name,
        signal: stopping.signal,
        pauseMs: options.retryDelayMs,
        // Do not work on partly loaded state: a missing hold would break its key's order.
        recover: worker.reset,
        onFailure(): void {
          if (sources.leases.hasExpired()) sources.slots?.retain(() => false)
        },
      }
      const { hasFailed } = await supervise(engine, supervised, async () => {
        await pauses.refreshIfStale()
        await delays.recordSteps(hasDelays(sources))
        if (pauses.isPaused(service.name)) await pauses.waitForChange(stopping.signal)
        else await runOnce()
      })
      const ended = hasFailed ? Promise.resolve() : drain()
      const released = ended
        .then(crashGuard.recordCleanStop)
        .finally(() => sources.leases.release())
      await released.catch((cause: unknown) => monitor.failed(group.name, cause))
    },
    stop: () => stopping.abort(),
    abort: () => aborting.abort(),
    abandon: crashGuard.recordCleanStop,
  }
}

/** Detects that state in memory, or a batch in progress, is out of date. */
function createChangeDetector(
  { clock, pauses, monitor }: EngineContext,
  service: ServicePlan,
  group: ConsumerGroup,
  worker: BatchWorker,
) {
  const { leases } = worker.sources
  let rewindsSeen = 0
  return {
    /** Whether state in memory may be out of date, after a heartbeat or a rewind. */
    async isChanged(): Promise<boolean> {
      const rewound = pauses.changeCount(service.name)
      const isRewound = rewound !== rewindsSeen
      rewindsSeen = rewound
      const isOther = isRewound || worker.isOutOfDate()
      if (clock.elapsed() < leases.heartbeatDueAt()) return isOther
      const answer = await leases.heartbeat()
      monitor.setShare(group.name, leases.share())
      return isOther || answer === 'changed'
    },
    /** Whether to continue with a gathered batch. Sends no heartbeat. */
    async mayGoOn(): Promise<boolean> {
      await pauses.refreshIfStale()
      const isSame = pauses.changeCount(service.name) === rewindsSeen && !worker.isOutOfDate()
      return isSame && clock.elapsed() < leases.heartbeatDueAt() && !pauses.isPaused(service.name)
    },
  }
}

/** Whether a delay is running that a restart must not begin again. */
function hasDelays({ holds, timers }: BatchWorker['sources']): boolean {
  return holds.count() > 0 || timers.nextDue() < Infinity
}
