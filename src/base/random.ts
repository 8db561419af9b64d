/** A number from 0 up to but not including 1. */
export type Random = () => number

export const systemRandom: Random = () => Math.random()

/**
 * The same sequence for the same seed, on every machine. For simulation and tests, never for secrets.
 * Algorithm: mulberry32 (Tommy Ettinger, public domain).
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
