// Data directories of tests, and backends on them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { embedded } from '../../../src/backends/embedded/index.ts'
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
