// A fixture for archive tests: a partition with many records.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { embedded } from '../../src/backends/embedded/index.ts'
import { ORDERS, PLENTY, eventOf, keyIn, readAll } from '../../src/ports/conformance/sample.ts'
import { start, stored, topicOf } from '../../src/ports/conformance/sample.ts'
import type { Archived } from '../../src/ports/keeping.ts'
import type { LogEvent, LogRecord, Slice } from '../../src/ports/log.ts'
import type { Backend } from '../../src/ports/store.ts'

export const PARTITION = 1
export const KEY = keyIn(PARTITION)
export const COUNT = 2_500
export const TABLE = 'shop.orders'

export interface Stand {
  readonly root: string
  readonly data: string
  readonly to: string
  readonly backend: Backend
  /** All records before archiving. */
  readonly records: readonly LogRecord[]
}

export async function open(
  t: TestContext,
  directory: string,
  isReadOnly = false,
): Promise<Backend> {
  const backend = embedded({ directory, isReadOnly })
  t.after(() => close(backend))
  await backend.log.open()
  await backend.store.open()
  return backend
}

export async function close({ log, store }: Backend): Promise<void> {
  await log.close()
  await store.close()
}

export const eventsOf = (name: string, count: number): readonly LogEvent[] =>
  Array.from({ length: count }, (_, at) =>
    eventOf(`${name}-${at}`, { key: KEY, data: at % 100 === 7 ? null : `{"n":${at}}` }),
  )

export async function stand(t: TestContext): Promise<Stand> {
  const root = mkdtempSync(join(tmpdir(), 'throughline '))
  t.after(() => rmSync(root, { recursive: true }))
  const [data, to] = [join(root, 'data'), join(root, 'old records')]
  const backend = await open(t, data)
  await backend.log.declare([topicOf(ORDERS)])
  await backend.store.declare([{ name: TABLE, indexes: [] }])
  await stored(backend.log, eventsOf('e', COUNT))
  return { root, data, to, backend, records: await readAll(backend.log) }
}

export async function move({ backend, to }: Stand, before: number): Promise<Archived> {
  const moved = await backend.archive?.({ topic: ORDERS, partition: PARTITION, before, to })
  assert.ok(moved)
  return moved
}

export async function readFrom({ log }: Backend, next: number): Promise<Slice> {
  const [slice] = await log.read([{ ...start(PARTITION), next }], PLENTY, { ms: 0 })
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
