// The contracts command: lists stored contracts, and compares a module with them.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { StoredMessage } from '../../src/engine/startup/compatibility.ts'
import { withAndWithoutOwner, createTestDirectory, systemFile } from './harness.ts'

interface Checked {
  readonly isCompatible: boolean
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  readonly notes: Checked['issues']
}

const ISSUE = 'asking.Ask, at: is new, and must be there now'
const NOTE = 'asking.Asked: is stored but not in the contract: its messages reach no rule'

withAndWithoutOwner('contracts', (at) => {
  test('contracts lists every message with its versions', async () => {
    const { code, out } = await at.run(['contracts'])
    assert.equal(code, 0)
    const [head, ...lines] = out.trimEnd().split('\n')
    assert.match(head ?? '', /^message +kind +version +schemas +since$/)
    assert.deepEqual(
      lines.map((line) => line.split(/ +/).slice(0, 4).join(' ')),
      [
        'asking.Ask command 1 1',
        'asking.Asked event 1 1',
        'telling.Tell command 1 1',
        'telling.Told event 1 1',
      ],
    )
  })

  test('contracts NAME shows the schemas of a contract, or of one message', async () => {
    const { out } = await at.run(['contracts', 'asking'])
    assert.match(out, /^asking\.Ask version 1 \(command, since \d{4}-[^)]+Z\)\n {2}\{\n/)
    assert.match(out, /^asking\.Asked version 1 \(event/m)
    assert.doesNotMatch(out, /telling/)
    const [asked, ...others] = (await at.runJson('contracts', 'asking.Asked')) as StoredMessage[]
    assert.equal(others.length, 0)
    assert.deepEqual(
      asked?.schemas.map(({ version, schema }) => ({ version, schema })),
      [
        {
          version: 1,
          schema: {
            additionalProperties: false,
            properties: { id: { type: 'string' } },
            required: ['id'],
            type: 'object',
          },
        },
      ],
    )
  })

  test('contracts of an unknown name suggests the nearest one', async () => {
    const { code, err } = await at.run(['contracts', 'asking.Aksed'])
    assert.equal(code, 2)
    assert.match(err, /asking\.Asked/)
  })

  test('contracts of a name without a similar one lists all names', async () => {
    const { code, err } = await at.run(['contracts', 'nope'])
    assert.equal(code, 2)
    assert.match(err, /name: "nope" is not known \(known: asking, asking\.Ask, .*telling\.Told\)$/m)
  })

  test('a compatible module is reported as compatible', async () => {
    const argv = ['contracts', '--check', systemFile('talking')]
    assert.deepEqual(await at.run(argv), {
      code: 0,
      out: 'Compatible with 4 stored message types: asking, telling.\n',
      err: '',
    })
    const said = { isCompatible: true, issues: [], notes: [] }
    assert.deepEqual(await at.runJson(...argv), said)
  })

  test('an incompatible module ends with 1, and changes nothing', async () => {
    const argv = ['contracts', '--check', systemFile('changed')]
    const { code, out } = await at.run(argv)
    assert.equal(code, 1)
    assert.deepEqual(out.trimEnd().split('\n'), [
      'Incompatible with 4 stored message types: asking, telling; a start would be refused.',
      `  ${ISSUE}`,
      'Notes:',
      `  ${NOTE}`,
    ])
    const asJson = await at.run([...argv, '--json'])
    assert.equal(asJson.code, 1)
    const { isCompatible, issues, notes } = JSON.parse(asJson.out) as Checked
    const text = ({ path, message }: Checked['notes'][0]): string => `${path}: ${message}`
    assert.deepEqual([isCompatible, issues.map(text), notes.map(text)], [false, [ISSUE], [NOTE]])
    assert.equal((await at.run(['contracts', '--check', systemFile('talking')])).code, 0)
  })

  test('--against reads the output of --json instead of the data', async () => {
    const elsewhere = createTestDirectory()
    const kept = join(elsewhere.root, 'contracts.json')
    writeFileSync(kept, (await at.run(['contracts', '--json'])).out)
    const against = (file: string, of: string) =>
      elsewhere.run(['contracts', '--check', systemFile(of), '--against', file])
    assert.equal((await against('contracts.json', 'talking')).code, 0)
    assert.equal((await against('contracts.json', 'changed')).code, 1)
    writeFileSync(join(elsewhere.root, 'other.json'), '[{}]')
    const other = await against('other.json', 'talking')
    assert.equal(other.code, 2)
    assert.match(other.err, /other\.json must contain the output of throughline contracts --json/)
    assert.equal((await against('gone.json', 'talking')).code, 2)
    elsewhere.remove()
  })
})

suite('a module to check', () => {
  test('with invalid services is refused with the issues', async () => {
    const at = createTestDirectory()
    writeFileSync(join(at.root, 'empty.mjs'), 'export const services = []')
    const { code, err } = await at.run(['contracts', '--check', 'empty.mjs'])
    assert.equal(code, 2)
    assert.match(err, /^ {2}- services: must be a list of at least one service$/m)
    assert.doesNotMatch(err, /exports neither/)
    at.remove()
  })

  test('that does not exist or exports no contracts is wrong usage', async () => {
    const at = createTestDirectory()
    const app = await at.launch()
    await app.stop()
    const gone = await at.run(['contracts', '--check', 'gone.ts'])
    assert.equal(gone.code, 2)
    assert.match(gone.err, /gone\.ts: does not exist/)
    const empty = join(at.root, 'empty.mjs')
    writeFileSync(empty, 'export const other = 1')
    const none = await at.run(['contracts', '--check', empty])
    assert.equal(none.code, 2)
    assert.match(none.err, /exports neither services nor contracts, only other/)
    writeFileSync(join(at.root, 'nothing.mjs'), '')
    const nothing = await at.run(['contracts', '--check', 'nothing.mjs'])
    assert.match(nothing.err, /nothing\.mjs: exports neither services nor contracts, nothing$/m)
    at.remove()
  })
})
