import type { Cancel } from '../base/clock.ts'
import type { Faulted } from './turn.ts'

/** What happens inside the engine, for those in the same process who wait for it or show it. */
export interface Watch {
  /** A conversation's operation or one of its sagas has changed. */
  touched(conversation: string): void
  /** A rule has thrown; its key is held and tried again. */
  faulted(fault: Faulted): void
  /** A call to the backend went wrong; the processor starts over from what is committed. */
  broke(group: string, cause: unknown): void
  /** It works again. */
  mended(group: string): void
  /** What is broken at the moment, with what was thrown last. */
  broken(): ReadonlyMap<string, unknown>
  onTouched(conversation: string, listener: () => void): Cancel
}

/** Where faults are told: a logger, or a test. Default: a warning of the process, once a text. */
export interface Reports {
  readonly faulted?: (fault: Faulted) => void
  readonly broke?: (group: string, cause: unknown) => void
}

export function watch(reports: Reports): Watch {
  const conversations = new Map<string, Set<() => void>>()
  const broken = new Map<string, unknown>()
  return {
    touched(conversation) {
      for (const listener of conversations.get(conversation) ?? []) listener()
    },
    faulted: (fault) => reports.faulted?.(fault),
    broke(group, cause) {
      broken.set(group, cause)
      reports.broke?.(group, cause)
    },
    mended: (group) => void broken.delete(group),
    broken: () => broken,
    onTouched(conversation, listener) {
      const listeners = conversations.get(conversation) ?? new Set()
      conversations.set(conversation, listeners.add(listener))
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0) conversations.delete(conversation)
      }
    },
  }
}
