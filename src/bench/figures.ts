// What a measurement says, and the little statistics that it needs.

/** Figures of one run by name, each with its unit in the name. */
export type Figures = Readonly<Record<string, number>>

/** The value below which that share of sorted values lies; `NaN` of none. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

/** Latencies in milliseconds as they are spread, each name with that in front. */
export function spreadOf(name: string, latenciesMs: readonly number[]): Figures {
  const sorted = Float64Array.from(latenciesMs).sort()
  return {
    [`${name}P50Ms`]: quantile(sorted, 0.5),
    [`${name}P99Ms`]: quantile(sorted, 0.99),
    [`${name}MaxMs`]: quantile(sorted, 1),
  }
}
