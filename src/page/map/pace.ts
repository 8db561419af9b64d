// How a rate looks as movement. Eyes tell slow from fast, not 300 from 340: both are logarithmic.

/** Pixels a second at which an animation is written; its playback rate does the rest. */
export const BASE_SPEED = 60
const SPEED = { min: 22, max: 120 }
/** Gaps between beads, by the rate from which they hold. In steps, for each change is a jump. */
const GAPS = [
  { from: 150, gap: 11 },
  { from: 40, gap: 15 },
  { from: 10, gap: 21 },
  { from: 1, gap: 30 },
  { from: 0, gap: 44 },
] as const

/** Pixels between two beads. */
export function gapOf(perSecond: number): number {
  return GAPS.find(({ from }) => perSecond >= from)?.gap ?? 44
}

/** Pixels a second, in steps of an eighth, so that it does not change with every overview. */
export function speedOf(perSecond: number): number {
  const share = Math.min(1, Math.log10(1 + Math.max(0, perSecond)) / 3)
  return SPEED.min + ((SPEED.max - SPEED.min) * Math.round(share * 8)) / 8
}
