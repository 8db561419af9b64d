import { closeSync, fdatasync, fsyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { Fault } from '../../../base/errors/fault.ts'

/** The acknowledged end of a partition, or the acknowledged number of commits. */
export interface Mark {
  readonly next: number
  /** The chain at that offset; 0 for commits. */
  readonly chain: number
}

/**
 * The acknowledged end of each partition, in a file apart from the database. A write-ahead log that
 * was cut off ends early without an error; this file detects that. Written after each commit and
 * before its acknowledgement, without a sync: the death of the process cannot lose it, and a power
 * cut may leave an older state, which detects less.
 *
 * Slot 0 counts commits; each partition has its own slot. An unreadable slot is ignored.
 */
export interface HighWater {
  readonly epoch: string
  mark(slot: number): Mark | undefined
  /**
   * Raises a slot in memory; `write` puts it into the file. A lower value is ignored: acknowledged
   * offsets stay acknowledged, however short the log has become.
   */
  advance(slot: number, next: number, chain: number): void
  /** Clears all slots from one on: the loss of their topics was accepted. */
  clearFrom(slot: number): void
  /** The number of slots in the file. */
  slots(): number
  write(): void
  /** Syncs the file in the background; one sync at a time. */
  sync(): void
  close(): void
}

const MAGIC = 'THRLMARK'
const HEADER_BYTES = 64
const EPOCH_BYTES = 36
const SLOT_BYTES = 16

/** Creates and syncs the file of a new epoch. */
export function createHighWater(path: string, epoch: string): void {
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

/** @throws Fault `DATA_DAMAGED` when the file is missing or damaged */
export function openHighWater(path: string, isReadOnly: boolean): HighWater {
  const handle = openHandle(path, isReadOnly)
  const { size } = fstatSync(handle)
  let bytes = Buffer.alloc(Math.max(size, HEADER_BYTES))
  readSync(handle, bytes, 0, size, 0)
  const header = bytes.subarray(0, HEADER_BYTES)
  const isOurs =
    header.toString('latin1', 0, 8) === MAGIC &&
    header.readUInt32LE(HEADER_BYTES - 4) === crc32(header.subarray(0, HEADER_BYTES - 4))
  if (!isOurs) {
    closeSync(handle)
    throw new Fault('DATA_DAMAGED', { detail: `${path} is not a high-water file` })
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
    clearFrom(slot) {
      const start = startOf(slot)
      if (start >= bytes.length) return
      bytes.fill(0, start)
      dirtyFrom = Math.min(dirtyFrom, start)
      dirtyTo = bytes.length
    },
    advance(slot, next, chain) {
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
      // A full disk may write only a part.
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
      // A running sync still needs the handle, and closes it at its end.
      if (!isSyncing) closeSync(handle)
    },
  }
}

function openHandle(path: string, isReadOnly: boolean): number {
  try {
    return openSync(path, isReadOnly ? 'r' : 'r+')
  } catch (cause) {
    const { code } = cause as { code?: string }
    if (code !== 'ENOENT') throw cause
    throw new Fault('DATA_DAMAGED', { detail: `${path} is missing`, cause })
  }
}
