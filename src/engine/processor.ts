import type { Builds } from './builds.ts'
import { gather } from './gathering.ts'
import type { Group, ServicePlan } from './plan.ts'
import { supervise } from './supervise.ts'
import type { EngineTools } from './tools.ts'
import type { Worker } from './worker.ts'
import { isOutsideGroup, workerOf } from './worker.ts'

/** The loop that polls a group's partitions and moves their records through the rules. */
export interface Processor {
  /** Reads and works until stopped. */
  run(): Promise<void>
  /** Takes nothing new; ends after the unit in hand. */
  stop(): void
  /** Aborts handlers that still run. */
  abort(): void
  /** Says that what still runs is left behind: the process does not end by it. */
  leave(): Promise<void>
}

/**
 * One turn after another: gather, run the rules, commit. Whatever goes wrong with the backend, the
 * processor forgets what it has in memory and goes on from what is committed.
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

  /** Commits what ends while there is grace, so that the next start need not repeat it. */
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
        // What is half forgotten must not be worked on: a hold that is missing breaks its key's order.
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

/** Tells whether what a group has in memory, or in hand, may no longer be its own. */
function changesOf(
  { clock, pauses, watch }: EngineTools,
  service: ServicePlan,
  group: Group,
  worker: Worker,
) {
  const { claims } = worker.sources
  let rewindsSeen = 0
  return {
    /** Whether what is in memory may no longer be so: by a beat, or by an operator. */
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
    /** Whether what was gathered is still to be worked on, without a look at the claims. */
    async mayGoOn(): Promise<boolean> {
      await pauses.look()
      const isSame = pauses.rewinds(service.name) === rewindsSeen && !worker.isOutOfDate()
      return isSame && clock.elapsed() < claims.beatDue() && !pauses.isPaused(service.name)
    },
  }
}

/** Whether a delay is under way that a restart must not begin anew. */
function isWaiting({ holds, timers }: Worker['sources']): boolean {
  return holds.count() > 0 || timers.nextDue() < Infinity
}
