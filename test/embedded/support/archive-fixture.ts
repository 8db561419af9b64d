// A fixture for archive tests: a partition with many records.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import {
  ORDERS,
  NO_LIMIT,
  testEvent,
  keyInPartition,
  readAll,
} from '../../../src/ports/conformance/fixtures.ts'
import { startPosition, appendStored, testTopic } from '../../../src/ports/conformance/fixtures.ts'
import type { ArchiveResult } from '../../../src/ports/backup-and-archive.ts'
import type { LogEvent, LogRecord, Slice } from '../../../src/ports/event-log.ts'
import type { Backend } from '../../../src/ports/event-store.ts'
import { close, opened as open } from './data-directory.ts'

export { close, open }

export const PARTITION = 1
export const KEY = keyInPartition(PARTITION)
export const COUNT = 2_500
export const TABLE = 'shop.orders'

export interface ArchiveFixture {
  readonly root: string
  readonly data: string
  readonly to: string
  readonly backend: Backend
  /** All records before archiving. */
  readonly records: readonly LogRecord[]
}

export const fixtureEvents = (name: string, count: number): readonly LogEvent[] =>
  Array.from({ length: count }, (_, at) =>
    testEvent(`${name}-${at}`, { key: KEY, data: at % 100 === 7 ? null : `{"n":${at}}` }),
  )

export async function createArchiveFixture(t: TestContext): Promise<ArchiveFixture> {
  const root = mkdtempSync(join(tmpdir(), 'throughline '))
  t.after(() => rmSync(root, { recursive: true }))
  const [data, to] = [join(root, 'data'), join(root, 'old records')]
  const backend = await open(t, data)
  await backend.log.declare([testTopic(ORDERS)])
  await backend.store.declare([{ name: TABLE, indexes: [] }])
  await appendStored(backend.log, fixtureEvents('e', COUNT))
  return { root, data, to, backend, records: await readAll(backend.log) }
}

export async function archiveBefore(
  { backend, to }: ArchiveFixture,
  before: number,
): Promise<ArchiveResult> {
  const moved = await backend.archive?.({ topic: ORDERS, partition: PARTITION, before, to })
  assert.ok(moved)
  return moved
}

export async function readFrom({ log }: Backend, next: number): Promise<Slice> {
  const [slice] = await log.read([{ ...startPosition(PARTITION), next }], NO_LIMIT, { ms: 0 })
  assert.ok(slice)
  return slice
}

/** The decompressed lines of files. */
export function zcat(files: readonly string[]): readonly { readonly offset: number }[] {
  return files
    .flatMap((file) => gunzipSync(readFileSync(file)).toString('utf8').split('\n'))
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { readonly offset: number })
}
