import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { ShopFault } from './shop-fault.ts'
import { grouping } from './grouping.ts'
import type { Intake } from './grouping.ts'
import { INTAKE_LIMITS } from './limits.ts'
import { readRows } from './rows.ts'
import { counted } from './text.ts'

export interface FileIntake extends Intake {
  /** SHA-256 of the bytes of the file, in hexadecimal. */
  readonly contentHash: string
}

const CHUNK_BYTES = 65_536
const GZIP_MAGIC = [0x1f, 0x8b] as const

/**
 * Reads a whole file of invoice lines, plain or gzipped, whatever its name, and validates it invoice
 * by invoice. The whole file is read before anything is returned.
 *
 * @throws ShopFault `SHOP_FILE_UNREADABLE`, `SHOP_FILE_DAMAGED`, `SHOP_FILE_TOO_LARGE`,
 * `SHOP_HEADER_WRONG`
 */
export async function readInvoices(path: string): Promise<FileIntake> {
  try {
    await using file = await open(path)
    return await readFile(file)
  } catch (cause) {
    throw asFault(path, cause)
  }
}

async function readFile(file: FileHandle): Promise<FileIntake> {
  const bytes = file.createReadStream({ start: 0, highWaterMark: CHUNK_BYTES, autoClose: false })
  const hash = createHash('sha256')
  const invoices = grouping()
  async function* hashed(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
  async function gather(chunks: AsyncIterable<Buffer>): Promise<void> {
    for await (const rows of readRows(bounded(chunks))) invoices.add(rows)
  }
  if (await isPacked(file)) {
    await pipeline(bytes, hashed, createGunzip({ chunkSize: CHUNK_BYTES }), gather)
  } else {
    await pipeline(bytes, hashed, gather)
  }
  return { ...invoices.end(), contentHash: hash.digest('hex') }
}

async function isPacked(file: FileHandle): Promise<boolean> {
  const { buffer } = await file.read(Buffer.alloc(GZIP_MAGIC.length), 0, GZIP_MAGIC.length, 0)
  return GZIP_MAGIC.every((byte, index) => buffer[index] === byte)
}

async function* bounded(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { textBytesMax } = INTAKE_LIMITS
  let textBytes = 0
  for await (const chunk of chunks) {
    textBytes += chunk.length
    if (textBytes > textBytesMax) {
      const detail = `more than ${counted(textBytesMax)} bytes, unpacked`
      throw new ShopFault('SHOP_FILE_TOO_LARGE', detail)
    }
    yield chunk
  }
}

function asFault(path: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof ShopFault) return cause
  const code = 'code' in cause ? String(cause.code) : ''
  const detail = `${path}: ${cause.message}`
  if (code.startsWith('Z_')) return new ShopFault('SHOP_FILE_DAMAGED', detail, cause)
  if ('syscall' in cause) return new ShopFault('SHOP_FILE_UNREADABLE', detail, cause)
  return cause
}
