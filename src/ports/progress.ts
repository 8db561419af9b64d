import type { Advance, Progress } from './event-store.ts'

/** The counts of a consumer that has reached nothing. */
export const NO_COUNTS = {
  accepted: 0,
  completed: 0,
  pending: 0,
  dead: 0,
  discarded: 0,
  expired: 0,
} as const satisfies Partial<Progress>

/** Applies an advance to the progress of a consumer, so that all stores count alike. */
export function advanceProgress(before: Progress | undefined, advance: Advance): Progress {
  const { consumer, topic, partition, next } = advance
  return {
    consumer,
    topic,
    partition,
    next: advance.from === null ? (before?.next ?? 0) : next,
    accepted: (before?.accepted ?? 0) + advance.accepted,
    completed: (before?.completed ?? 0) + advance.completed,
    pending: (before?.pending ?? 0) + advance.pending,
    dead: (before?.dead ?? 0) + advance.dead,
    discarded: (before?.discarded ?? 0) + advance.discarded,
    expired: (before?.expired ?? 0) + advance.expired,
  }
}
