import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { murmur2, partitionOf } from './partition.ts'

const encoder = new TextEncoder()

/** The same hash once more, as slow and plain as it can be: each step is modulo 2^32. */
function plainMurmur2(bytes: Uint8Array): number {
  const multiplier = 0x5bd1e995n
  const word = (value: bigint): bigint => value & 0xffffffffn
  let hash = 0x9747b28cn ^ BigInt(bytes.length)
  const full = bytes.length - (bytes.length % 4)
  for (let at = 0; at < full; at += 4) {
    let k = 0n
    for (const byte of [3, 2, 1, 0]) k = k * 256n + BigInt(bytes[at + byte] as number)
    k = word(k * multiplier)
    k ^= k >> 24n
    hash = word(hash * multiplier) ^ word(k * multiplier)
  }
  if (full < bytes.length) {
    for (let at = bytes.length - 1; at >= full; at -= 1)
      hash ^= BigInt(bytes[at] as number) << BigInt(8 * (at - full))
    hash = word(hash * multiplier)
  }
  hash ^= hash >> 13n
  hash = word(hash * multiplier)
  return Number(BigInt.asIntN(32, hash ^ (hash >> 15n)))
}

describe('murmur2', () => {
  test("gives the numbers of Kafka's own tests", () => {
    const vectors: Record<string, number> = {
      '21': -973_932_308,
      foobar: -790_332_482,
      'a-little-bit-long-string': -985_981_536,
      'a-little-bit-longer-string': -1_486_304_829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58_897_971,
      abc: 479_470_107,
    }
    for (const [text, hash] of Object.entries(vectors))
      assert.equal(murmur2(encoder.encode(text)), hash, text)
  })

  test('equals a plain implementation for any bytes at any place in their buffer', () => {
    const bytes = fc.uint8Array({ maxLength: 40 })
    fc.assert(
      fc.property(bytes, fc.nat(7), (given, offset) => {
        const buffer = new Uint8Array(offset + given.length + 3)
        buffer.set(given, offset)
        const view = buffer.subarray(offset, offset + given.length)
        assert.equal(murmur2(view), plainMurmur2(given))
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the partition of a key', () => {
  const partitions = fc.integer({ min: 1, max: 1_024 })

  test('is the hash of its UTF-8, made positive, modulo the number of partitions', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), partitions, (key, count) => {
        const hash = plainMurmur2(encoder.encode(key)) & 0x7fffffff
        assert.equal(partitionOf(key, count), hash % count)
      }),
      {
        examples: [
          ['21', 1_024],
          ['Ångström', 8],
          ['客户-7', 12],
          ['😀', 3],
          ['', 5],
        ],
      },
    )
  })

  test('is that of the Java client', () => {
    // toPositive(-973932308) % 8 and so on, worked out by hand from the stated hashes.
    const positive = (hash: number): number => hash & 0x7fffffff
    assert.equal(partitionOf('21', 8), positive(-973_932_308) % 8)
    assert.equal(partitionOf('21', 7), positive(-973_932_308) % 7)
    assert.equal(partitionOf('foobar', 1_000), positive(-790_332_482) % 1_000)
    assert.equal(positive(-973_932_308), 1_173_551_340)
  })

  test('is the same every time, and always one of the partitions', () => {
    fc.assert(
      fc.property(fc.string(), partitions, (key, count) => {
        const partition = partitionOf(key, count)
        assert.equal(partitionOf(key, count), partition)
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < count)
      }),
    )
  })

  test('is the first where there is only one', () => {
    fc.assert(fc.property(fc.string(), (key) => assert.equal(partitionOf(key, 1), 0)))
  })

  test('spreads keys evenly', () => {
    for (const count of [2, 3, 8, 12, 64]) {
      const sizes = Array.from({ length: count }, () => 0)
      const keys = count * 1_000
      for (let index = 0; index < keys; index += 1) {
        const partition = partitionOf(`customer-${index}`, count)
        sizes[partition] = (sizes[partition] ?? 0) + 1
      }
      // Five standard deviations of a fair spread.
      for (const size of sizes)
        assert.ok(Math.abs(size - 1_000) < 5 * Math.sqrt(1_000), `${count}: ${sizes.join(' ')}`)
    }
  })
})
