import type { Clock } from './time/clock.ts'
import type { Random } from './random.ts'

/** Makes event ids: UUID version 7 (RFC 9562), each greater than the one before it. */
export type IdGenerator = () => string

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const COUNTER_MAX = 0xfff

/**
 * Ids of one generator grow strictly: within a millisecond a 12-bit counter is incremented, and when
 * it is exhausted the time field moves ahead (RFC 9562, section 6.2, method 1). Inserts into an index
 * of such ids go to its right edge, so that their cost does not grow with the log.
 */
export function createIdGenerator(clock: Clock, random: Random): IdGenerator {
  let time = 0
  let counter = 0
  return () => {
    const now = clock.now()
    if (now > time) {
      time = now
      counter = Math.floor(random() * 0x400)
    } else if (counter < COUNTER_MAX) {
      counter += 1
    } else {
      time += 1
      counter = 0
    }
    return uuidText(time, counter, random)
  }
}

function uuidText(time: number, counter: number, random: Random): string {
  const high = Math.floor(time / 2 ** 16)
  const low = time % 2 ** 16
  const a = Math.floor(random() * 2 ** 32)
  const b = Math.floor(random() * 2 ** 32)
  return (
    `${hex(high >>> 24)}${hex(high >>> 16)}${hex(high >>> 8)}${hex(high)}-` +
    `${hex(low >>> 8)}${hex(low)}-` +
    `${hex(0x70 | (counter >>> 8))}${hex(counter)}-` +
    `${hex(0x80 | ((a >>> 24) & 0x3f))}${hex(a >>> 16)}-` +
    `${hex(a >>> 8)}${hex(a)}${hex(b >>> 24)}${hex(b >>> 16)}${hex(b >>> 8)}${hex(b)}`
  )
}

function hex(value: number): string {
  return HEX[value & 0xff] as string
}
