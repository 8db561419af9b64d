/** The partitioner of a topic; recorded in the topic and fixed for its life. */
export type PartitionStrategy = 'murmur2'

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995
const encoder = new TextEncoder()

/** A reused buffer, since the key of every message is hashed. */
const scratch = new Uint8Array(1_024)

/** The partition of a key, as the default partitioner of Kafka's Java client computes it for UTF-8 keys. */
export function partitionOf(key: string, partitions: number): number {
  if (partitions === 1) return 0
  if (key.length * 3 > scratch.length)
    return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions
  const { written } = encoder.encodeInto(key, scratch)
  return (murmur2(scratch, written) & 0x7fffffff) % partitions
}

/** MurmurHash2, 32 bit (Austin Appleby, public domain), with Kafka's seed; a signed number. */
export function murmur2(bytes: Uint8Array, length: number = bytes.length): number {
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)
    let word = Math.imul(low | (high << 16), MULTIPLIER)
    word ^= word >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER)
  }
  const rest = length - at
  if (rest >= 3) hash ^= (bytes[at + 2] as number) << 16
  if (rest >= 2) hash ^= (bytes[at + 1] as number) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[at] as number), MULTIPLIER)
  hash ^= hash >>> 13
  hash = Math.imul(hash, MULTIPLIER)
  return hash ^ (hash >>> 15)
}
