const { THROUGHLINE_TIMES } = process.env

/**
 * How often a law is tried: this many times, and as many times more as `npm run test:long` asks
 * for.
 */
export function runs(count: number): number {
  return Math.ceil(count * Number(THROUGHLINE_TIMES ?? 1))
}
