// The metrics of a measurement, and the statistics for them.

/** The metrics of one run by name, each with its unit in the name. */
export type Metrics = Readonly<Record<string, number>>

/** The quantile of sorted values; `NaN` without values. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

/** Median, 99th percentile and maximum of latencies, as metrics with this prefix. */
export function latencyMetrics(name: string, latenciesMs: readonly number[]): Metrics {
  const sorted = Float64Array.from(latenciesMs).sort()
  return {
    [`${name}P50Ms`]: quantile(sorted, 0.5),
    [`${name}P99Ms`]: quantile(sorted, 0.99),
    [`${name}MaxMs`]: quantile(sorted, 1),
  }
}
