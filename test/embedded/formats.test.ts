import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import type { LogRecord } from '../../src/ports/event-log.ts'
import { embedded } from '../../src/backends/embedded/index.ts'

const FORMATS = fileURLToPath(new URL('../formats/', import.meta.url))

/** A directory of an older format, as that version left it. */
function frozen(t: TestContext, format: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'throughline-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const from = join(FORMATS, String(format))
  copyFileSync(join(from, 'throughline.json'), join(directory, 'throughline.json'))
  const bytes = gunzipSync(readFileSync(join(from, 'throughline.db.gz')))
  writeFileSync(join(directory, 'throughline.db'), bytes)
  return directory
}

const SPECS = [
  { name: 'orders', partitions: 2, strategy: 'murmur2' },
  { name: 'trimmed', partitions: 1, strategy: 'murmur2' },
] as const
const ALL = { records: 100, bytes: 1e6 }

suite('data of format 1', () => {
  test('is migrated when its owner opens it, and has the same content', async (t) => {
    const directory = frozen(t, 1)
    for (const round of ['brought up', 'opened again']) {
      const { log, store } = embedded({ directory })
      await log.open()
      await store.open()
      const states = await log.declare(SPECS)
      assert.deepEqual(
        states.map(({ isNew, differences }) => [isNew, differences]),
        [
          [false, []],
          [false, []],
        ],
        round,
      )
      const read = async (topic: string, partition: number): Promise<readonly LogRecord[]> => {
        const [slice] = await log.read([{ topic, partition, next: 0 }], ALL, { ms: 0 })
        assert.equal(slice?.damage, undefined)
        return slice?.records ?? []
      }
      const zero = await read('orders', 0)
      assert.deepEqual(
        zero.map(({ id, offset, key, data }) => [id, offset, key, data]),
        [
          ['01890a5d-ac96-774b-bcce-b302099a8057', 0, 'k0', '{"n":0,"text":"grüße 😀"}'],
          ['any text at all', 1, 'k2', '{"n":2,"text":"grüße 😀"}'],
          ['01890a5d-ac96-774b-bcce-b302099a8058', 2, 'k9', null],
        ],
      )
      assert.deepEqual(
        (await read('orders', 1)).map(({ id }) => id),
        [
          'b5e2c1de-3c6f-4f0a-9b1e-6f9e6a1e2d3c',
          'B5E2C1DE-3C6F-4F0A-9B1E-6F9E6A1E2D3D',
          '01890a5d-ac96-774b-bcce-b302099a8059',
        ],
      )
      assert.deepEqual(
        (await read('trimmed', 0)).map(({ id }) => id),
        ['t4', 't5'],
      )
      const find = async (id: string) => (await log.find?.('orders', id))?.key
      assert.equal(await find('b5e2c1de-3c6f-4f0a-9b1e-6f9e6a1e2d3c'), 'k1')
      const counts = { ...NO_COUNTS, accepted: 2, completed: 1, pending: 1 }
      assert.deepEqual(await store.progress(['s/r']), [
        { consumer: 's/r', topic: 'orders', partition: 0, next: 2, ...counts },
      ])
      const open = { table: 's.rows', where: { index: 'open', upTo: 'z' }, limit: 10 }
      assert.deepEqual(
        (await store.scan(open)).map(({ key, value }) => [key, value]),
        [
          ['x', 1],
          ['y', 'yes'],
        ],
      )
      const [plain] = await store.get([{ table: 's.plain', key: 'a' }])
      assert.equal(plain?.body, '{"state":{"n":1}}')
      const [entry] = await store.stream({ table: 's.plain', key: 'a' }, 1, 10)
      assert.equal(entry?.id, '01890a5d-ac96-774b-bcce-b302099a8059')
      await log.close()
      await store.close()
    }
    assert.match(readFileSync(join(directory, 'throughline.json'), 'utf8'), /"format":4/)
  })

  test('is not migrated when opened read-only', async (t) => {
    const { log } = embedded({ directory: frozen(t, 1), isReadOnly: true })
    await assert.rejects(log.open(), { code: 'DATA_OLDER' })
  })
})
