// What the page is told, as JSON. Times are milliseconds since 1970.
import type { Overview as SystemView } from '../control/views.ts'

export type {
  Alarm,
  ChainView,
  ErrorView,
  EventPlace,
  FoundMessages,
  EventView,
  HeldKey,
  LinkView,
  Listing,
  MessageKind,
  OpenSaga,
  OperationEntry,
  OutcomeView,
  RuleView,
  ServiceView,
  TimerEntry,
  TopicView,
  WaitsFor,
} from '../control/views.ts'

/** Everything that runs, at one moment. */
export interface Overview extends SystemView {
  readonly boards: readonly BoardView[]
}

/** A rate and a lag at one moment. */
export interface FigureView {
  readonly perSecond: number
  readonly lag: number
}

/** One moment of the last hour, as the process has kept it. */
export interface SampleView extends FigureView {
  readonly at: number
  readonly services: Readonly<Record<string, FigureView>>
}

/** Counts that the system itself shows, such as its orders by state. */
export interface BoardView {
  readonly title: string
  readonly states: readonly {
    readonly name: string
    readonly count: number
    readonly tone?: 'good' | 'bad' | 'undone'
  }[]
  /** Why it has no counts at the moment. */
  readonly error?: string
}

/** A refusal of the API, by RFC 9457. */
export interface ProblemView {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  /** What is wrong with which option, one by one. */
  readonly complaints: readonly { readonly path: string; readonly message: string }[]
}
