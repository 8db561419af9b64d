import type { Advance, Progress } from './event-store.ts'

/** Applies an advance to the progress of a consumer, so that all stores count alike. */
export function advanceProgress(before: Progress | undefined, advance: Advance): Progress {
  const { consumer, topic, partition, next } = advance
  return {
    consumer,
    topic,
    partition,
    next,
    accepted: (before?.accepted ?? 0) + advance.accepted,
    completed: (before?.completed ?? 0) + advance.completed,
    pending: (before?.pending ?? 0) + advance.pending,
    expired: (before?.expired ?? 0) + advance.expired,
  }
}
