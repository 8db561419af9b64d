// Which colour a state of a board gets: that of its tone, else the next of a row.

const ROW = ['a', 'b', 'c', 'd'] as const

export type Tone = 'good' | 'undone' | 'bad'
export type Shade = Tone | 'rest' | (typeof ROW)[number]

export function shadesOf(tones: readonly (Tone | undefined)[]): readonly Shade[] {
  let next = 0
  return tones.map((tone) => {
    if (tone) return tone
    next += 1
    return ROW[next - 1] ?? 'rest'
  })
}

/** Shares of the whole, which is 1; of nothing, none. */
export function sharesOf(counts: readonly number[]): readonly number[] {
  const whole = counts.reduce((sum, count) => sum + Math.max(0, count), 0)
  return counts.map((count) => (whole === 0 ? 0 : Math.max(0, count) / whole))
}

/** `41%`; what is there but rounds to nothing is `<1%`, and what is not all is never `100%`. */
export function shareText(share: number): string {
  if (share <= 0) return '0%'
  if (share < 0.01) return '<1%'
  return share < 1 && share > 0.99 ? '>99%' : `${Math.round(share * 100)}%`
}
