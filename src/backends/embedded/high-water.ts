import { closeSync, fdatasync, fsyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { Fault } from '../../base/fault.ts'

/** How far something had come when it was last acknowledged. */
export interface Mark {
  readonly next: number
  /** The chain there; 0 for commits. */
  readonly chain: number
}

/**
 * How far everything had come, kept apart from the database: a write-ahead log that was cut off
 * ends early without an error, and only somebody else can tell. Written after each commit and
 * before its acknowledgement, without a sync of its own: the death of the process cannot lose it,
 * and a power cut may leave an older one, which claims less.
 *
 * Slot 0 counts commits; each partition has a slot of its own. A slot that cannot be read claims
 * nothing.
 */
export interface HighWater {
  readonly epoch: string
  mark(slot: number): Mark | undefined
  /**
   * Notes where a slot stands; `write` puts it into the file. Never back: what was acknowledged
   * once stays claimed, however short the log has become.
   */
  note(slot: number, next: number, chain: number): void
  /** Claims nothing any more behind the slots that are known: their loss was accepted. */
  forgetFrom(slot: number): void
  /** The number of slots in the file. */
  slots(): number
  write(): void
  /** Brings what was written to the disk, beside everything else; one at a time. */
  sync(): void
  close(): void
}

const MAGIC = 'THRLMARK'
const HEADER_BYTES = 64
const EPOCH_BYTES = 36
const SLOT_BYTES = 16

/** Makes the file of a new epoch, on the disk when this returns. */
export function makeHighWater(path: string, epoch: string): void {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(MAGIC, 0, 'latin1')
  header.writeUInt32LE(1, 8)
  header.write(epoch, 12, 'latin1')
  header.writeUInt32LE(crc32(header.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4)
  const handle = openSync(path, 'w', 0o600)
  try {
    writeSync(handle, header, 0, header.length, 0)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

/** @throws Fault `DATA_DAMAGED` when it is missing or no such file */
export function openHighWater(path: string, isReadOnly: boolean): HighWater {
  const handle = opened(path, isReadOnly)
  const { size } = fstatSync(handle)
  let bytes = Buffer.alloc(Math.max(size, HEADER_BYTES))
  readSync(handle, bytes, 0, size, 0)
  const header = bytes.subarray(0, HEADER_BYTES)
  const isOurs =
    header.toString('latin1', 0, 8) === MAGIC &&
    header.readUInt32LE(HEADER_BYTES - 4) === crc32(header.subarray(0, HEADER_BYTES - 4))
  if (!isOurs) {
    closeSync(handle)
    throw new Fault('DATA_DAMAGED', { detail: `${path} is no high-water mark any more` })
  }
  const startOf = (slot: number): number => HEADER_BYTES + slot * SLOT_BYTES
  let [dirtyFrom, dirtyTo] = [Infinity, 0]
  let isSyncing = false
  let isClosed = false
  const read = (slot: number): Mark | undefined => {
    const start = startOf(slot)
    if (start + SLOT_BYTES > bytes.length) return undefined
    const next = bytes.readDoubleLE(start)
    const chain = bytes.readUInt32LE(start + 8)
    const sum = crc32(bytes.subarray(start, start + 12), slot + 1)
    return sum === bytes.readUInt32LE(start + 12) ? { next, chain } : undefined
  }
  return {
    epoch: header.toString('latin1', 12, 12 + EPOCH_BYTES),
    mark: read,
    slots: () => Math.floor((bytes.length - HEADER_BYTES) / SLOT_BYTES),
    forgetFrom(slot) {
      const start = startOf(slot)
      if (start >= bytes.length) return
      bytes.fill(0, start)
      dirtyFrom = Math.min(dirtyFrom, start)
      dirtyTo = bytes.length
    },
    note(slot, next, chain) {
      const before = read(slot)
      if (before && before.next > next) return
      const start = startOf(slot)
      if (start + SLOT_BYTES > bytes.length) bytes = Buffer.concat([bytes], startOf(2 * slot + 64))
      bytes.writeDoubleLE(next, start)
      bytes.writeUInt32LE(chain, start + 8)
      bytes.writeUInt32LE(crc32(bytes.subarray(start, start + 12), slot + 1), start + 12)
      dirtyFrom = Math.min(dirtyFrom, start)
      dirtyTo = Math.max(dirtyTo, start + SLOT_BYTES)
    },
    write() {
      if (dirtyTo === 0) return
      // A full disk may take a part of it.
      for (let at = dirtyFrom; at < dirtyTo;) at += writeSync(handle, bytes, at, dirtyTo - at, at)
      dirtyFrom = Infinity
      dirtyTo = 0
    },
    sync() {
      if (isSyncing || isClosed) return
      isSyncing = true
      fdatasync(handle, () => {
        isSyncing = false
        if (isClosed) closeSync(handle)
      })
    },
    close() {
      if (isClosed) return
      isClosed = true
      // A sync under way still needs the handle, and closes it.
      if (!isSyncing) closeSync(handle)
    },
  }
}

function opened(path: string, isReadOnly: boolean): number {
  try {
    return openSync(path, isReadOnly ? 'r' : 'r+')
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code !== 'ENOENT') throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${path} is missing`, cause })
  }
}
