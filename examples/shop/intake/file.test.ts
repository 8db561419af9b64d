import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { readInvoices } from './file.ts'
import { INTAKE_LIMITS } from './limits.ts'
import { COLUMNS } from './rows.ts'

const HEADER = COLUMNS.join(',')
const ROW = '536365,85123A,LANTERN,6,2010-12-01T08:26:00Z,2.55,17850,United Kingdom'
const TEXT = `${HEADER}\n${ROW}\n`
const PACKED = gzipSync(TEXT)

let directory = ''

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'intake-'))
})

after(() => rm(directory, { recursive: true }))

async function file(bytes: string | Uint8Array, name = 'orders.csv'): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, bytes)
  return path
}

function refuses(path: string, code: string, message: RegExp): Promise<void> {
  return assert.rejects(readInvoices(path), (fault: Error & { code?: string }) => {
    assert.equal(fault.code, code, fault.stack)
    assert.match(fault.message, message)
    assert.match(fault.message, /nothing was imported/)
    return true
  })
}

describe('a file', () => {
  test('gives its invoices and the hash of its bytes', async () => {
    const intake = await readInvoices(await file(TEXT))
    assert.deepEqual(intake, {
      invoices: [
        {
          kind: 'order',
          invoiceId: '536365',
          customerId: 'c:17850',
          isGuest: false,
          country: 'United Kingdom',
          placedAt: '2010-12-01T08:26:00Z',
          lines: [{ sku: '85123A', quantity: 6, unitPriceCents: 255 }],
        },
      ],
      rowCount: 1,
      malformedRows: 0,
      malformedComplaints: [],
      contentHash: createHash('sha256').update(TEXT).digest('hex'),
    })
  })

  test('is recognized as gzipped by its bytes, not by its name', async () => {
    const { invoices } = await readInvoices(await file(TEXT, 'plain.csv.gz'))
    const packed = await readInvoices(await file(PACKED, 'packed.csv'))
    assert.deepEqual(packed.invoices, invoices)
    assert.equal(packed.contentHash, createHash('sha256').update(PACKED).digest('hex'))
    const parts = Buffer.concat([gzipSync(`${HEADER}\n`), gzipSync(ROW)])
    assert.deepEqual((await readInvoices(await file(parts))).invoices, invoices)
  })

  test('longer than a chunk is read whole', async () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => ROW.replace('536365', `${at}é`))
    const text = [HEADER, ...rows].join('\r\n')
    for (const bytes of [text, gzipSync(text)]) {
      const { invoices } = await readInvoices(await file(bytes))
      assert.equal(invoices.length, 20_000)
      assert.equal(invoices.at(-1)?.invoiceId, '19999é')
      assert.ok(invoices.every(({ kind }) => kind === 'order'))
    }
  })

  test('is not kept in memory as text', async () => {
    const rows = Array.from({ length: 300_000 }, (_, at) => {
      const sku = `PRODUCT-CODE-${at % 3_000}`
      const price = `${(at % 997) + 1}.${(at % 89) + 10}`
      const [invoiceId, quantity] = [Math.floor(at / 30), (at % 977) + 1]
      return `${invoiceId},${sku},LANTERN,${quantity},2010-12-01T08:26:00Z,${price},1,UK`
    })
    const path = await file([HEADER, ...rows].join('\n'))
    const script = `
      import { readInvoices } from ${JSON.stringify(new URL('file.ts', import.meta.url).href)}
      const { invoices } = await readInvoices(${JSON.stringify(path)})
      console.log(invoices.length)`
    const heap = '--max-old-space-size=40'
    const args = [heap, '--input-type=module', '--eval', script]
    const { stdout } = spawnSync(process.execPath, args)
    assert.equal(stdout.toString(), '10000\n')
  })

  test('of other bytes than UTF-8 refuses the invoices whose ids those are in', async () => {
    const rows = [ROW.replace('LANTERN', '£40'), ROW.replace('536365', '2').replace('17850', '£')]
    const intake = await readInvoices(
      await file(Buffer.from([HEADER, ...rows].join('\n'), 'latin1')),
    )
    assert.deepEqual(
      intake.invoices.map(({ kind }) => kind),
      ['order', 'rejected'],
    )
  })
})

describe('ShopFault for', () => {
  test('a wrong header, whether packed or not', async () => {
    for (const bytes of [ROW, gzipSync(ROW)]) {
      await refuses(await file(bytes), 'SHOP_HEADER_WRONG', /column 1 is "536365"/)
    }
    await refuses(await file(''), 'SHOP_HEADER_WRONG', /empty/)
    await refuses(await file(gzipSync('')), 'SHOP_HEADER_WRONG', /empty/)
    await refuses(await file(Buffer.from(TEXT, 'utf16le')), 'SHOP_HEADER_WRONG', /column 1/)
  })

  test('no file, or none that can be read', async () => {
    await refuses(join(directory, 'none.csv'), 'SHOP_FILE_UNREADABLE', /none\.csv/)
    await mkdir(join(directory, 'folder'), { recursive: true })
    await refuses(join(directory, 'folder'), 'SHOP_FILE_UNREADABLE', /folder/)
  })

  test('a packed file that is cut anywhere', async () => {
    for (let length = 2; length < PACKED.length; length += 1) {
      await refuses(await file(PACKED.subarray(0, length)), 'SHOP_FILE_DAMAGED', /orders\.csv/)
    }
  })

  test('a packed file with a byte changed is never taken for another', async () => {
    const expected = await readInvoices(await file(PACKED))
    const header = 10
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: header, max: PACKED.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const bytes = Buffer.from(PACKED)
          bytes[at] = (bytes[at] ?? 0) ^ change
          const path = await file(bytes)
          const outcome = await readInvoices(path).then(
            ({ invoices }) => invoices,
            ({ code }: { code?: string }) => code,
          )
          if (typeof outcome === 'string')
            assert.match(outcome, /^SHOP_(FILE_DAMAGED|HEADER_WRONG)$/)
          else assert.deepEqual(outcome, expected.invoices)
        },
      ),
    )
  })

  test('data after the end of a gzipped file', async () => {
    const bytes = Buffer.concat([PACKED, Buffer.from('more')])
    await refuses(await file(bytes), 'SHOP_FILE_DAMAGED', /orders\.csv/)
  })

  test('a small file that decompresses to too much text', async () => {
    const filler = Buffer.alloc(16 * 1_048_576, `${'x'.repeat(60_000)}\n`)
    const parts = Array<Buffer>(INTAKE_LIMITS.textBytesMax / filler.length).fill(gzipSync(filler))
    const most = Buffer.concat([gzipSync(`${HEADER}\n`), ...parts])
    await refuses(await file(most), 'SHOP_FILE_TOO_LARGE', /more than 268,435,456 bytes/)
  })
})
