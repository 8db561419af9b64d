import type { Issue } from '../base/errors/fault.ts'
import type { Clock } from '../base/time/clock.ts'
import type { Message } from '../contract/message.ts'
import type { RejectedRecord } from './wire-contract.ts'

/** The result of one appended message, as far as an edge needs it. */
export type EdgeAppendResult =
  | { readonly status: 'stored'; readonly isDuplicate: boolean }
  | {
      readonly status: 'refused'
      readonly code: string
      readonly detail: string
      readonly issues?: readonly Issue[]
    }
  | { readonly status: 'unknown'; readonly cause: unknown }

/** What edges need of the app that they belong to. */
export interface EdgeHost {
  append(
    messages: readonly Message[],
    options: { readonly ids: readonly string[] },
  ): Promise<readonly EdgeAppendResult[]>
  readonly clock: Clock
  /** An edge does not work; it tries again. */
  failed(edge: string, cause: unknown): void
  /** It works again. */
  recovered(edge: string): void
  /** A body was rejected, for the first time. */
  onRejected(edge: string, rejected: RejectedRecord): void
}
