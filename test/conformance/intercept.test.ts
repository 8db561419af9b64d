import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { memory } from '../../src/backends/memory/index.ts'
import type { Backend } from '../../src/ports/event-store.ts'
import { intercept } from '../../src/ports/intercept.ts'

const methodsOf = (port: object): readonly string[] => Object.keys(port).toSorted()

test('an intercepted backend has every method of its ports', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const backends: readonly Backend[] = [memory(), embedded({ directory })]
  for (const backend of backends) {
    const { log, store } = intercept(backend, (_, run) => run())
    assert.deepEqual(methodsOf(log), methodsOf(backend.log))
    assert.deepEqual(methodsOf(store), methodsOf(backend.store))
  }
})
