import type { Reading } from '../../src/bench/system.ts'
import { readingOf } from '../../src/bench/system.ts'

/** The key that waits behind a dead letter. */
export const STUCK = 'meter-stuck'

/** Batches of readings in which those of the stuck key are spread evenly. */
export function* mixedReadings(
  stuck: number,
  others: number,
  batch: number,
): Generator<readonly Reading[]> {
  const total = stuck + others
  let [stuckSoFar, othersSoFar] = [0, 0]
  let readings: Reading[] = []
  for (let at = 0; at < total; at += 1) {
    const isStuck = stuckSoFar * total < stuck * (at + 1)
    readings.push(isStuck ? { ...readingOf(stuckSoFar), meterId: STUCK } : readingOf(othersSoFar))
    if (isStuck) stuckSoFar += 1
    else othersSoFar += 1
    if (readings.length < batch) continue
    yield readings
    readings = []
  }
  if (readings.length > 0) yield readings
}
