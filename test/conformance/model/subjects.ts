import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { memory } from '../../../src/backends/memory/index.ts'
import type { Backend } from '../../../src/ports/index.ts'
import type { Open } from './run-commands.ts'

async function close({ log, store }: Backend): Promise<void> {
  await log.close()
  await store.close()
}

const asItIs = (backend: Backend): Backend => backend

/** A memory backend, with a defect where one is planted. */
export const memorySubject =
  (plant = asItIs): Open =>
  async (clock) => {
    const backend = plant(memory({ clock }))
    return { backend, close: () => close(backend) }
  }

/** In memory where available: the cost of syncs does not matter here. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** An embedded backend; the defect is planted when it is reopened. */
export const embeddedSubject =
  (plant = asItIs): Open =>
  async (clock) => {
    const directory = await mkdtemp(join(ROOT, 'throughline-model-'))
    let backend = embedded({ directory, clock })
    return {
      backend,
      async reopen() {
        await close(backend)
        backend = embedded({ directory, clock })
        await backend.log.open()
        await backend.store.open()
        return plant(backend)
      },
      async close() {
        await close(backend)
        await rm(directory, { recursive: true })
      },
    }
  }
