// The rows of the table, and their targets.

/** The target of a metric. */
export type Target =
  /** The value of the row `of`, divided by this one, must be at least `min`. */
  | { readonly kind: 'ratio'; readonly of: string; readonly min?: number }
  /** The value must be at most `max`; without `max` it is only shown. */
  | { readonly kind: 'most'; readonly max?: number }
  | { readonly kind: 'stated' }

/** One line of the table. */
export interface Row {
  readonly measurement: string
  readonly metric: string
  readonly unit: 'events/s' | 'ms'
  /** The label of the metric, if the measurement has several. */
  readonly label?: string
  readonly target: Target
}

const rate = (measurement: string, target: Target = { kind: 'stated' }): Row => ({
  measurement,
  metric: 'perSecond',
  unit: 'events/s',
  target,
})

/** A row of a peer, compared with the engine's row in the same group. */
const beside = (measurement: string, of: string, min?: number): Row =>
  rate(measurement, { kind: 'ratio', of, ...(min === undefined ? {} : { min }) })

const time = (measurement: string, figure: string, label: string, max?: number): Row => ({
  measurement,
  metric: figure,
  label,
  unit: 'ms',
  target: { kind: 'most', ...(max === undefined ? {} : { max }) },
})

const openLoop = (measurement: string, p50Ms?: number, p99Ms?: number): readonly Row[] => [
  time(measurement, 'commitP50Ms', 'until committed, p50', p50Ms),
  time(measurement, 'commitP99Ms', 'until committed, p99', p99Ms),
  time(measurement, 'commitMaxMs', 'until committed, longest'),
  time(measurement, 'ruleP99Ms', 'until its rule ran, p99'),
  time(measurement, 'ackP99Ms', 'until acked, p99'),
  time(measurement, 'loopP99Ms', 'delay of the event loop, p99 (1 ms is the clock of it)'),
]

export const ROWS: readonly Row[] = [
  rate('append-100'),
  beside('bare-100', 'append-100', 0.6),
  rate('append-1000'),
  beside('bare-1000', 'append-1000', 0.6),
  rate('append-single'),
  beside('bare-single', 'append-single', 0.6),
  rate('projection-100'),
  rate('entity-100'),
  beside('redis-streams-100', 'projection-100', 1.1),
  beside('kafka-100', 'projection-100', 2),
  beside('bullmq-100', 'projection-100', 7),
  beside('graphile-worker-100', 'projection-100', 3),
  beside('nats-100', 'projection-100', 4),
  beside('emmett-sqlite-100', 'projection-100'),
  beside('emmett-postgresql-100', 'projection-100'),
  rate('projection-1000'),
  rate('entity-1000'),
  beside('kafka-1000', 'projection-1000', 2),
  ...openLoop('open-1000', 3, 12),
  ...openLoop('open-20000', undefined, 15),
]
