// The speed and spacing of beads by rate, both logarithmic: viewers see slow and fast, not 300 and 340.

/** Pixels per second of an animation at playback rate 1. */
export const BASE_SPEED = 60
const SPEED = { min: 22, max: 120 }
/** Gaps between beads by minimum rate. Few steps, since beads jump at each change. */
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

/** Pixels per second, in eight steps, so that the speed does not change with every overview. */
export function speedOf(perSecond: number): number {
  const share = Math.min(1, Math.log10(1 + Math.max(0, perSecond)) / 3)
  return SPEED.min + ((SPEED.max - SPEED.min) * Math.round(share * 8)) / 8
}
