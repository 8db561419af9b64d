import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { sweepViolations, sweepsOnceOpen } from './support/disk-sweeps.ts'
import type { SweepPoint } from './children/disk-sweep.child.ts'
import { expectedIds } from './children/disk-sweep.child.ts'
import type { PartitionFound, InspectionReport } from './support/inspection-report.ts'
import { judgeDamage } from './support/damage-verdict.ts'

const partition = (name: string): PartitionFound => {
  const records = [0, 1, 2, 3].map((offset) => [offset, `sum-${offset}`] as const)
  return { name, first: 0, next: 4, records, again: 'repeat', fresh: 'stored' }
}

const WHOLE: InspectionReport = {
  partitions: [partition('a/0'), partition('a/1')],
  states: { progress: 'p', 'shop.orders': 'o' },
}

const LOST = { code: 'LOG_DAMAGED', text: 'offsets 2 to 3: was acknowledged and is missing' }

/** The report with another first partition. */
function first(fields: Partial<PartitionFound>): InspectionReport {
  const [one, two] = WHOLE.partitions as [PartitionFound, PartitionFound]
  return { ...WHOLE, partitions: [{ ...one, ...fields }, two], failure: 'a/0 is damaged' }
}

const stopped = { records: partition('a/0').records.slice(0, 2), error: LOST, fresh: 'LOG_DAMAGED' }

/** Without what health says. */
const silent = ({ failure, ...report }: InspectionReport): InspectionReport =>
  failure === undefined ? report : report

suite('the judge of damage', () => {
  const fine: Readonly<Record<string, readonly [is: string, found: InspectionReport]>> = {
    'all as it was': ['whole', WHOLE],
    'a partition that stands at a named loss': ['partition', first(stopped)],
    'a directory that is refused by name': [
      'directory',
      { partitions: [], states: {}, refused: { code: 'DATA_DAMAGED', text: 'damaged' } },
    ],
    'writes that stop for damage of what everything shares': [
      'partition',
      first({ fresh: 'LOG_DAMAGED' }),
    ],
    'state as of before a loss that is named': [
      'partition',
      { ...first(stopped), states: { ...WHOLE.states, progress: 'older' } },
    ],
  }
  for (const [what, [is, found]] of Object.entries(fine))
    test(`lets pass: ${what}`, () => {
      const { violations, ...verdict } = judgeDamage(WHOLE, found)
      assert.deepEqual([verdict.kind, violations], [is, []])
    })

  const wrong: Readonly<Record<string, InspectionReport | undefined>> = {
    'a process that died': undefined,
    'a fresh and empty log': silent(first({ records: [], next: 0 })),
    'a tail that is lost in silence': silent(first({ records: stopped.records, next: 2 })),
    'a hole in silence': silent(first({ records: partition('a/0').records.slice(0, 3) })),
    'a record with another content': silent(
      first({ records: [[0, 'other'], ...partition('a/0').records.slice(1)] }),
    ),
    'a record that nobody wrote': silent(
      first({ records: [...partition('a/0').records, [4, 'made up']] }),
    ),
    'records in another order': silent(first({ records: partition('a/0').records.toReversed() })),
    'a partition that is gone': { ...WHOLE, partitions: WHOLE.partitions.slice(1) },
    'a loss without a code': first({ ...stopped, error: { text: 'offset 2' } }),
    'a loss without a range': first({ ...stopped, error: { code: 'LOG_DAMAGED', text: 'bad' } }),
    'an append to a damaged partition': first({ ...stopped, fresh: 'stored' }),
    'an event that is stored a second time': silent(first({ again: 'stored' })),
    'an append that throws': silent(first({ fresh: 'threw: Error' })),
    'an append that is refused without damage': silent(first({ fresh: 'LOG_DAMAGED' })),
    'other state in silence': { ...WHOLE, states: { ...WHOLE.states, 'shop.orders': 'other' } },
    'state that cannot be read, without a code': {
      ...WHOLE,
      states: { ...WHOLE.states, progress: { text: 'malformed' } },
    },
    'a refusal without a code': { partitions: [], states: {}, refused: { text: 'Error' } },
    'other records for one who only reads': {
      partitions: [{ ...partition('a/0'), records: [[0, 'other']] }],
      states: {},
      refused: { code: 'DATA_DAMAGED', text: 'damaged' },
      reading: 'opened',
    },
    'other records in a salvage': {
      partitions: [],
      states: {},
      refused: { code: 'DATA_DAMAGED', text: 'damaged' },
      salvaged: [['a/0@1', 'other']],
    },
  }
  for (const [what, found] of Object.entries(wrong))
    test(`finds ${what}`, () => assert.notDeepEqual(judgeDamage(WHOLE, found).violations, []))

  test('finds a repair that gives offsets again, or lets nothing flow', () => {
    for (const fields of [{ next: 3 }, { error: LOST }, { fresh: 'LOG_DAMAGED' }]) {
      const repaired = [{ ...partition('a/0'), ...fields }]
      assert.notDeepEqual(judgeDamage(WHOLE, { ...first(stopped), repaired }).unrepaired, [])
    }
  })
})

const [name] = sweepsOnceOpen
const SWEPT: SweepPoint = {
  nth: 3,
  hit: 1,
  during: { declare: 'done', a: 'stored', b: 'unknown', c: 'LOG_FULL', unit: 'unknown' },
  wrong: [],
  after: { declare: 'done', a: 'repeat', b: 'stored', unit: 'done' },
  left: { ids: expectedIds(), version: 1 },
}

suite('the judge of failing disks', () => {
  test('lets pass what is refused, unknown, or stored and there', () => {
    assert.ok(name)
    assert.deepEqual(sweepViolations(SWEPT, name), [])
  })

  const damaged = { code: 'DATA_DAMAGED', text: 'damaged' }
  const wrong: Readonly<Record<string, Partial<SweepPoint>>> = {
    'an answer that says more than came of it': { wrong: ['a was stored and is not there'] },
    'an answer that there is not': { during: { ...SWEPT.during, a: 'ID_CONFLICT' } },
    'an opening without a code': { during: { open: { text: 'disk I/O error' } } },
    'a disk that fails and is taken for damage': { during: { open: damaged } },
    'an event that is lost': { left: { ids: expectedIds().slice(1), version: 1 } },
    'an event that is there twice': {
      left: { ids: [...expectedIds(), expectedIds()[0] ?? ''], version: 1 },
    },
    'a row that is lost': { left: { ids: expectedIds(), version: 0 } },
    'writes that do not resume': { after: { ...SWEPT.after, b: 'unknown' } },
    'a directory that does not open again': { left: damaged },
  }
  for (const [what, fields] of Object.entries(wrong))
    test(`finds ${what}`, () => {
      assert.ok(name)
      assert.notDeepEqual(sweepViolations({ ...SWEPT, ...fields }, name), [])
    })

  test('finds syncs that fail without a word', () => {
    const during = { declare: 'done', a: 'stored' }
    assert.notDeepEqual(sweepViolations({ ...SWEPT, during }, 'every sync fails from there on'), [])
  })
})
