// The colour of each state of a board: that of its tone, else the next of a fixed row.

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

/** The share of each count in their sum; all 0 if the sum is 0. */
export function sharesOf(counts: readonly number[]): readonly number[] {
  const whole = counts.reduce((sum, count) => sum + Math.max(0, count), 0)
  return counts.map((count) => (whole === 0 ? 0 : Math.max(0, count) / whole))
}

/** A share as `41%`. More than nothing is at least `<1%`, and less than all at most `>99%`. */
export function shareText(share: number): string {
  if (share <= 0) return '0%'
  if (share < 0.01) return '<1%'
  return share < 1 && share > 0.99 ? '>99%' : `${Math.round(share * 100)}%`
}
