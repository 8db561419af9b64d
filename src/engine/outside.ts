import type { Sources } from './gathering.ts'
import { heldItems } from './gathering.ts'
import { holdKeyOf, isQueueConsumer } from './hold-row.ts'
import type { LanesParts } from './lanes.ts'
import { lanesOf } from './lanes.ts'
import type { Group } from './plan.ts'
import { slicesBefore } from './slices-before.ts'
import type { Slots } from './slots.ts'
import { slotsOf } from './slots.ts'
import type { EngineTools } from './tools.ts'
import type { Turn } from './turn.ts'

/** Calls the handler of a group before the unit that acknowledges its messages. */
export interface Outside {
  /** The batch with a result per delivery; `undefined` if the work went to another member. */
  attempt(gathered: Turn): Promise<Turn | undefined>
  /** Forgets results that no unit has taken. */
  forget(): void
  /** Calls that ended after their unit went on without them, once the group has stopped. */
  drain(): Promise<Turn | undefined>
}

export interface OutsideSignals {
  readonly stopping: AbortSignal
  readonly aborting: AbortSignal
}

/** Slots for a group whose handler is a queue. */
export function queueSlots(
  engine: EngineTools,
  group: Group,
  aborting: AbortSignal,
): Slots | undefined {
  const [consumer] = group.consumers
  if (consumer?.rule.is !== 'handler' || !isQueueConsumer(consumer)) return undefined
  const { concurrency } = consumer.rule
  const ackMs = engine.options.queueAckMs
  return slotsOf({ ...computingOf(engine, group), concurrency, ackMs, aborting })
}

/** How handlers are called, and how long they may compute per batch. */
function computingOf(
  engine: EngineTools,
  { name }: Group,
): Pick<LanesParts, 'calling' | 'clock' | 'computeMsMax' | 'endedEarly'> {
  const { budget, clock, options } = engine
  return {
    calling: engine,
    clock,
    computeMsMax: options.unitComputeMsMax,
    endedEarly: (tookMs, messages) => budget.endedEarly(name, { tookMs, messages }),
  }
}

export function outsideOf(
  engine: EngineTools,
  sources: Sources,
  { stopping, aborting }: OutsideSignals,
): Outside {
  const { options } = engine
  const { claims, group, holds, slots } = sources
  const lanes = lanesOf({
    ...computingOf(engine, group),
    isHeld: ({ reaction, record }) => holds.isKnown(holdKeyOf(reaction.consumer, record)),
  })

  async function workOn(gathered: Turn, lost: AbortSignal): Promise<Turn> {
    const items = slots
      ? await slots.work(gathered.items, { stopping, lost })
      : await lanes.attempt(gathered.items, AbortSignal.any([aborting, lost]))
    // Deliveries that have not begun are read again.
    const rest = gathered.items.slice(items.length).filter(({ held }) => !held)
    const slices = slicesBefore(
      gathered.slices,
      rest.map(({ record }) => record),
    )
    return { ...gathered, items, slices }
  }

  /** Sends heartbeats meanwhile. */
  async function attempt(gathered: Turn): Promise<Turn | undefined> {
    const [ended, lost] = [new AbortController(), new AbortController()]
    const keeping = claims.keep(ended.signal, () => lost.abort())
    const attempted = await workOn(gathered, lost.signal)
    ended.abort()
    await keeping
    if (!lost.signal.aborted) return attempted
    slots?.keep(() => false)
    return undefined
  }

  return {
    attempt,
    forget: lanes.forget,
    async drain() {
      if (!slots) return undefined
      while (slots.hasLeft() && !aborting.aborted) {
        if (slots.ended().length === 0) await slots.changed(options.idleMs, aborting)
        else {
          const items = await heldItems(sources, slots.ended())
          if (items.length > 0) return attempt({ timers: [], items, slices: [] })
        }
      }
      return undefined
    },
  }
}
