// Data directories of tests, and backends on them.
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { PAGE_BYTES } from '../../../src/backends/embedded/sql/schema.ts'
import type { Backend } from '../../../src/ports/event-store.ts'

/** An empty directory, until the end of the test. */
export function place(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return directory
}

/** A backend that is open until the end of the test. */
export async function opened(
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

/** Changes the database of a directory that nobody has open. */
export function tamper(directory: string, sql: string): void {
  const db = new DatabaseSync(join(directory, 'throughline.db'))
  db.exec(sql)
  db.close()
}

/** Zeroes a leaf of a table or an index: the one at this place in the order of its pages. */
export function destroyLeaf(directory: string, name: string, at: number): void {
  const path = join(directory, 'throughline.db')
  const db = new DatabaseSync(path)
  const select = `SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'
    ORDER BY pageno LIMIT 1 OFFSET ?`
  const leaf = db.prepare(select).get(name, at)
  db.close()
  const handle = openSync(path, 'r+')
  const from = (Number(leaf?.['pageno']) - 1) * PAGE_BYTES
  writeSync(handle, Buffer.alloc(PAGE_BYTES), 0, PAGE_BYTES, from)
  closeSync(handle)
}
