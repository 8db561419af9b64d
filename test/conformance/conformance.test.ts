import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { embedded } from '../../src/backends/embedded/index.ts'
import { memory } from '../../src/backends/memory/index.ts'
import { seededRandom } from '../../src/base/random.ts'
import { logCases } from '../../src/ports/conformance/log-cases.ts'
import type { Finding, Trial } from '../../src/ports/conformance/prove.ts'
import { prove } from '../../src/ports/conformance/prove.ts'
import { storeCases } from '../../src/ports/conformance/store-cases.ts'
import type { Backend } from '../../src/ports/event-store.ts'

async function close({ log, store }: Backend): Promise<void> {
  await log.close()
  await store.close()
}

/** A backend without durability. */
function inMemory(backend: Backend): Trial<Backend> {
  return {
    backend,
    beside: async () => backend,
    close: () => close(backend),
  }
}

/** A backend over a temporary directory, which can be reopened. */
async function onDisk(over: (directory: string) => Backend): Promise<Trial<Backend>> {
  const directory = await mkdtemp(join(tmpdir(), 'throughline-'))
  const backend = over(directory)
  const opened = [backend]
  const another = (): Backend => {
    const next = over(directory)
    opened.push(next)
    return next
  }
  return {
    backend,
    async reopen() {
      await close(backend)
      return another()
    },
    async beside() {
      const second = another()
      await second.log.open()
      await second.store.open()
      return second
    },
    async close() {
      for (const each of opened) await close(each)
      await rm(directory, { recursive: true })
    },
  }
}

const BACKENDS: Readonly<Record<string, () => Promise<Trial<Backend>>>> = {
  memory: async () => inMemory(memory()),
  'memory, each half of a call taking a while': async () => {
    const random = seededRandom(7)
    return inMemory(memory({ latencyMs: () => random() * 2 }))
  },
  embedded: () => onDisk((directory) => embedded({ directory })),
}

function assertKept({ status, cause }: Finding): void {
  if (status === 'broken') throw cause instanceof Error ? cause : new Error(String(cause))
}

for (const [name, open] of Object.entries(BACKENDS)) {
  suite(`the log of ${name}`, { concurrency: 4 }, () => {
    for (const each of logCases)
      test(each.promise, async () => {
        for (const finding of await prove([each], open)) assertKept(finding)
      })
  })
  suite(`the store of ${name}`, { concurrency: 4 }, () => {
    for (const each of storeCases)
      test(each.promise, async () => {
        for (const finding of await prove([each], open)) assertKept(finding)
      })
  })
}

test('every promise is made once', () => {
  const promises = [...logCases, ...storeCases].map(({ promise }) => promise)
  assert.equal(new Set(promises).size, promises.length)
})
