// Converts points in time to the columns of a chart, relative to the newest point.

export type Series = readonly { readonly at: number; readonly value: number }[]

/** Seconds before the newest point (so 0 is now), and values. */
export function columnsOf(series: Series): [number[], number[]] {
  const now = series.at(-1)?.at ?? 0
  return [series.map(({ at }) => (at - now) / 1_000), series.map(({ value }) => value)]
}

/** The top of an axis: a round number above all values, at least 2, whose half is whole. */
export function topOf(highest: number | null): number {
  const wanted = Math.max(2, highest ?? 0)
  const power = 10 ** Math.floor(Math.log10(wanted))
  const steps = power === 1 ? [2, 4, 6, 8, 10] : [1, 2, 3, 4, 6, 8, 10]
  const step = steps.find((each) => each * power >= wanted) ?? 10
  return step * power
}
