// The JSON of the admin API. Times are milliseconds since 1970.
import type { Overview as SystemView } from '../control/views.ts'

export type {
  Account,
  Alarm,
  AuditEntry,
  ChainEvent,
  ChainView,
  ConsumerAccount,
  DeadLetterCause,
  DeadLetterEntry,
  ErrorView,
  EventAtConsumer,
  EventLocation,
  FoundMessages,
  EventView,
  HeldKey,
  LinkView,
  ListPage,
  EventViewKind,
  OpenSaga,
  OperationEntry,
  OutcomeView,
  RedrivePreview,
  RedriveProgress,
  RuleView,
  ServiceView,
  TimerEntry,
  TopicView,
  WaitsFor,
} from '../control/views.ts'

export type { LedgerRow } from '../ports/ledger.ts'

/** The whole system at one moment, with the boards. */
export interface Overview extends SystemView {
  readonly boards: readonly BoardView[]
}

/** A rate and a lag at one moment. */
export interface MetricsView {
  readonly perSecond: number
  readonly lag: number
}

/** One sample of the server's history. */
export interface SampleView extends MetricsView {
  readonly at: number
  readonly services: Readonly<Record<string, MetricsView>>
}

/** The counts of a board, such as orders by state. */
export interface BoardView {
  readonly title: string
  readonly states: readonly {
    readonly name: string
    readonly count: number
    readonly tone?: 'good' | 'bad' | 'undone'
  }[]
  /** Why there are no counts at the moment. */
  readonly error?: string
}

/** An error answer of the API: problem details (RFC 9457). */
export interface ProblemView {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** Each invalid option, and what is wrong with it. */
  readonly issues: readonly { readonly path: string; readonly message: string }[]
}
