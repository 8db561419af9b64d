import { crc32 } from 'node:zlib'

/** The fields that the checksum of a record covers: everything that the log stores. */
export interface ChecksummedRecord {
  readonly position: number
  readonly partition: number
  readonly offset: number
  readonly at: number
  readonly storedAt: number
  readonly id: string
  readonly key: string
  readonly type: string
  readonly head: string
  readonly data: string | null
}

/**
 * CRC-32 of a record's texts, seeded with a hash of its numbers. For texts of one length a CRC maps
 * different seeds to different results, so a record at a wrong place is detected. It detects
 * accidents, not forgery: whoever can write the file can write the checksum.
 */
export function recordChecksum(topic: number, record: ChecksummedRecord): number {
  const { position, partition, offset, at, storedAt, id, key, type, head, data } = record
  let seed = mix(low(position), high(position) + topic)
  seed = mix(seed + low(offset), high(offset) + partition)
  seed = mix(seed + low(at), high(at))
  seed = mix(seed + low(storedAt), high(storedAt))
  return crc32(`${id}\n${key}\n${type}\n${head}\n${data ?? '\0'}`, seed)
}

/** The chain of a partition after one more record; detects missing, doubled or swapped records. */
export function nextChain(chain: number, sum: number): number {
  return mix(chain, sum)
}

/** The checksum of a row of texts and numbers. */
export function rowChecksum(values: readonly (string | number | null)[]): number {
  return crc32(JSON.stringify(values))
}

/** The checksum of a row of a service's table; it differs between tables. */
export function tableRowChecksum(
  table: number,
  key: string,
  version: number,
  body: string,
  indexed: readonly unknown[],
): number {
  const text = indexed.length === 0 ? body : `${body}\n${JSON.stringify(indexed)}`
  return crc32(`${key}\n${text}`, mix(table, version))
}

/** The checksum of a stream entry, which maps a version of an entity to its record. */
export function streamEntryChecksum(
  table: number,
  key: string,
  version: number,
  position: number,
): number {
  return crc32(key, mix(mix(table, version) + low(position), high(position)))
}

const TWO_32 = 0x1_0000_0000
const low = (value: number): number => (value % TWO_32) | 0
const high = (value: number): number => Math.floor(value / TWO_32) | 0

/** The finaliser of murmur3 over two words: every bit of both reaches every bit of the result. */
function mix(a: number, b: number): number {
  let mixed = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
