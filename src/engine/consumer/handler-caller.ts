import type { BatchSources } from './gather-batch.ts'
import { heldDeliveries } from './gather-batch.ts'
import type { Holds } from '../failure/index.ts'
import { holdKeyOf, isQueueConsumer } from '../failure/index.ts'
import type { KeyLanesParts, QueueSlots } from '../handlers/index.ts'
import { createKeyLanes, createQueueSlots } from '../handlers/index.ts'
import type { ConsumerGroup } from '../plan/index.ts'
import { slicesBefore } from './slices-before.ts'
import type { EngineContext } from '../context/index.ts'
import type { Batch } from '../execution/index.ts'
import { EMPTY_BATCH } from '../execution/index.ts'

/** Calls the handler of a group before the unit that acknowledges its messages. */
export interface HandlerCaller {
  /** The batch with a result per delivery; `undefined` if the work went to another member. */
  callAll(batch: Batch): Promise<Batch | undefined>
  /** Forgets results that no unit has taken. */
  forgetResults(): void
  /** Calls that ended after their unit went on without them, once the group has stopped. */
  drain(): Promise<Batch | undefined>
}

export interface StopSignals {
  readonly stopping: AbortSignal
  readonly aborting: AbortSignal
}

/** Slots for a group whose handler is a queue. */
export function createGroupSlots(
  engine: EngineContext,
  group: ConsumerGroup,
  holds: Pick<Holds, 'summary'>,
  aborting: AbortSignal,
): QueueSlots | undefined {
  const [consumer] = group.consumers
  if (consumer?.rule.kind !== 'handler' || !isQueueConsumer(consumer)) return undefined
  const { concurrency } = consumer.rule
  const ackMs = engine.options.queueAckMs
  const own = { concurrency, ackMs, aborting, holdOf: holds.summary }
  return createQueueSlots({ ...handlerParts(engine, group), ...own })
}

/** How handlers are called, and how long they may compute per batch. */
function handlerParts(
  engine: EngineContext,
  { name }: ConsumerGroup,
): Pick<KeyLanesParts, 'runtime' | 'clock' | 'computeMsMax' | 'endedEarly'> {
  const { budget, clock, options } = engine
  return {
    runtime: engine,
    clock,
    computeMsMax: options.unitComputeMsMax,
    endedEarly: (tookMs, messages) => budget.endedEarly(name, { tookMs, messages }),
  }
}

export function createHandlerCaller(
  engine: EngineContext,
  sources: BatchSources,
  { stopping, aborting }: StopSignals,
): HandlerCaller {
  const { options } = engine
  const { leases, group, holds, slots, claims } = sources
  const lanes = createKeyLanes({
    ...handlerParts(engine, group),
    isHeld: ({ subscription, record }) => holds.isKnown(holdKeyOf(subscription.consumer, record)),
  })

  async function callHandlers(batch: Batch, leaseLost: AbortSignal): Promise<Batch> {
    const deliveries = slots
      ? await slots.run(batch.deliveries, { stopping, lost: leaseLost })
      : await lanes.attempt(batch.deliveries, AbortSignal.any([aborting, leaseLost]))
    // Deliveries that have not begun are read again.
    const rest = batch.deliveries.slice(deliveries.length).filter(({ held }) => !held)
    const slices = slicesBefore(
      batch.slices,
      rest.map(({ record }) => record),
    )
    return { ...batch, deliveries, slices }
  }

  /** Sends heartbeats meanwhile. */
  async function callAll(batch: Batch): Promise<Batch | undefined> {
    const [ended, leaseLost] = [new AbortController(), new AbortController()]
    const keeping = leases.keepAlive(ended.signal, () => leaseLost.abort())
    const claiming = slots ? undefined : claims.claimWhile(lanes.running, ended.signal)
    // It is awaited once the calls have ended.
    void claiming?.catch(() => undefined)
    const attempted = await callHandlers(batch, leaseLost.signal)
    ended.abort()
    await Promise.all([keeping, claiming])
    if (!leaseLost.signal.aborted) return attempted
    slots?.retain(() => false)
    return undefined
  }

  return {
    callAll,
    forgetResults: lanes.forget,
    async drain() {
      if (!slots) return undefined
      while (slots.hasDetachedCalls() && !aborting.aborted) {
        if (slots.endedHolds().length === 0) await slots.waitForChange(options.idleMs, aborting)
        else {
          const { deliveries } = await heldDeliveries(sources, slots.endedHolds())
          if (deliveries.length > 0) return callAll({ ...EMPTY_BATCH, deliveries })
        }
      }
      return undefined
    },
  }
}
