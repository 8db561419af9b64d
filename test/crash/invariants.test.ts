import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { NO_COUNTS } from '../../src/ports/progress.ts'
import type { LogEvent, LogRecord } from '../../src/ports/event-log.ts'
import { batchOf, depositOf, eventOf, trimmedEvents } from './support/batches.ts'
import { CHECK_NAMES, findViolations } from './support/invariants.ts'
import type { Snapshot } from './support/snapshot.ts'
import type { Observed } from './support/protocol.ts'
import { observe, createObserved } from './support/protocol.ts'
import { CONSUMERS, PARTITIONS, TABLES, TOPICS } from './support/scenario.ts'
import type { Evidence } from './support/evidence.ts'

const SEED = 5
const BATCHES = 30
const DEPOSITS = 12

/** A correct log in memory. */
function logIn(): { records: LogRecord[]; add: (event: LogEvent) => number } {
  const records: LogRecord[] = []
  const ends = new Map<string, number>()
  return {
    records,
    add(event) {
      const name = `${event.topic}/${event.partition}`
      const offset = ends.get(name) ?? 0
      ends.set(name, offset + 1)
      records.push({ ...event, offset, position: records.length + 1 } as LogRecord)
      return offset
    },
  }
}

/** Evidence of a run without violations, made by hand. */
function flawless(): Evidence {
  const observed = createObserved(SEED)
  const log = logIn()
  observe(observed, { kind: 'up' })
  for (let number = 1; number <= BATCHES; number += 1) {
    observe(observed, { kind: 'try', batchKind: 'batch', number })
    observe(observed, {
      kind: 'ack',
      batchKind: 'batch',
      number,
      offsets: batchOf(SEED, number).events.map(log.add),
    })
  }
  observe(observed, { kind: 'try', batchKind: 'trimmed', number: 1 })
  observe(observed, {
    kind: 'ack',
    batchKind: 'trimmed',
    number: 1,
    offsets: trimmedEvents(1).map(log.add),
  })
  const bank = (topic: string, type: string, id: string, at: number): number => {
    const { account, deposit, cents } = depositOf(at)
    const data = type.startsWith('bank.Thank') ? { account, deposit } : { account, deposit, cents }
    return log.add({ ...eventOf(topic, id, account, data), type } as LogEvent)
  }
  for (let at = 1; at <= DEPOSITS; at += 1) {
    observe(observed, { kind: 'sending', deposit: at })
    bank(TOPICS.commands, 'bank.Deposit', `deposit-${at}`, at)
    observe(observed, { kind: 'sent', deposit: at })
    bank(TOPICS.deposits, 'bank.Deposited', `deposited-${at}`, at)
    observe(observed, { kind: 'effect', deposit: `d${at}`, key: `bank/posting:deposited-${at}` })
    bank(TOPICS.commands, 'bank.Thank', `thank-${at}`, at)
    bank(TOPICS.deposits, 'bank.Thanked', `thanked-${at}`, at)
  }
  observe(observed, { kind: 'creating', topic: 'made.topic' })
  observe(observed, { kind: 'created', topic: 'made.topic' })
  return { observed, snapshot: seenFrom(log.records), isSettled: true }
}

function seenFrom(records: readonly LogRecord[]): Snapshot {
  const ends = [...Object.values(TOPICS), 'made.topic'].flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition) => {
      const next = records.filter((each) => each.topic === topic && each.partition === partition)
      return { topic, partition, first: 0, next: next.length }
    }),
  )
  const progress = Object.entries(CONSUMERS).flatMap(([consumer, hears]) =>
    ends
      .filter(({ topic }) => topic in hears)
      .map(({ topic, partition, next }) => {
        const accepted = records.filter(
          (each) =>
            each.topic === topic &&
            each.partition === partition &&
            hears[topic]?.includes(each.type),
        ).length
        return {
          consumer,
          topic,
          partition,
          next,
          ...NO_COUNTS,
          accepted,
          completed: accepted,
        }
      }),
  )
  const order = ({ topic, partition, offset }: LogRecord): string =>
    `${topic}/${partition}/${String(offset).padStart(9, '0')}`
  return {
    ends,
    progress,
    records: records.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)),
    ...rowsFrom(records),
  }
}

function rowsFrom(records: readonly LogRecord[]): Pick<Snapshot, 'rows' | 'streams'> {
  const states = new Map<string, Record<string, number | string>>()
  const state = (table: string, key: string, initial: Record<string, number | string>) => {
    const name = `${table} ${key}`
    const found = states.get(name) ?? initial
    states.set(name, found)
    return found as Record<string, number>
  }
  const streams: Record<string, string[]> = {}
  for (const { topic, id, data, type } of records) {
    const about = JSON.parse(data ?? '') as Record<string, never>
    if (topic === TOPICS.measured || topic === TOPICS.raised) {
      const count = state(TABLES.readings, about['meter'] ?? '', { count: 0, last: 0 })
      count['count'] = (count['count'] ?? 0) + 1
      count['last'] = Math.max(count['last'] ?? 0, about['number'] ?? 0)
    }
    if (topic !== TOPICS.deposits) continue
    streams[about['account'] ?? ''] = [...(streams[about['account'] ?? ''] ?? []), id]
    for (const table of [TABLES.accounts, TABLES.sums]) {
      const sum = state(table, about['account'] ?? '', { cents: 0, deposits: 0, thanks: 0 })
      const field = type === 'bank.Thanked' ? 'thanks' : 'deposits'
      sum[field] = (sum[field] ?? 0) + 1
      sum['cents'] = (sum['cents'] ?? 0) + ((about['cents'] as number | undefined) ?? 0)
    }
    states.set(`${TABLES.thanks} ${about['deposit'] ?? ''}`, { is: 'closed' })
  }
  const rows = [...states].map(([name, body]) => {
    const [table = '', key = ''] = name.split(' ')
    return { table, key, version: 1, body: JSON.stringify(body) }
  })
  return { rows, streams }
}

type Defect = (evidence: Evidence) => Evidence

const withSeen = (evidence: Evidence, seen: Partial<Snapshot>): Evidence => {
  return { ...evidence, snapshot: { ...evidence.snapshot, ...seen } }
}

/** Changes one record; the one of the topic that is in the middle. */
function atRecord(
  topic: string,
  change: (record: LogRecord, all: readonly LogRecord[]) => readonly LogRecord[],
): Defect {
  return (evidence) => {
    const { records } = evidence.snapshot
    const own = records.filter((record) => record.topic === topic)
    const it = own[Math.floor(own.length / 2)] as LogRecord
    const changed = records.flatMap((record) => (record === it ? change(it, records) : [record]))
    return withSeen(evidence, { records: changed })
  }
}

function withObserved(evidence: Evidence, change: (observed: Observed) => void): Evidence {
  const copy = structuredClone(evidence.observed)
  change(copy)
  return { ...evidence, observed: copy }
}

/** A change of the body of the first row of a table. */
function atRow(table: string, body: string | undefined): Defect {
  return (evidence) => {
    const at = evidence.snapshot.rows.findIndex((row) => row.table === table)
    const rows = evidence.snapshot.rows.flatMap((row, index) => {
      if (index !== at) return [row]
      return body === undefined ? [] : [{ ...row, body }]
    })
    return withSeen(evidence, { rows })
  }
}

function atProgress(fields: object): Defect {
  return (evidence) => {
    const at = evidence.snapshot.progress.findIndex(({ accepted }) => accepted > 1)
    const progress = evidence.snapshot.progress.map((each, index) =>
      index === at ? { ...each, ...fields } : each,
    )
    return withSeen(evidence, { progress })
  }
}

const [NOTHING_WRONG = '', ACKED = '', ONCE = '', DENSE = '', ORDER = ''] = CHECK_NAMES
const [WHOLE = '', TRIMMED = '', COMPACTED = '', MADE = '', SENT = '', STATE = ''] =
  CHECK_NAMES.slice(5)

/** Each defect, with the check that has to find it. */
const DEFECTS: Readonly<Record<string, readonly [check: string, plant: Defect]>> = {
  'the process said that something is wrong': [
    NOTHING_WRONG,
    (all) => withObserved(all, ({ wrong }) => void wrong.push('it did')),
  ],
  'loses an acked event': [ACKED, atRecord(TOPICS.measured, () => [])],
  'loses an acked event of a topic that is trimmed': [ACKED, atRecord(TOPICS.trimmed, () => [])],
  'moves an acked event': [
    ACKED,
    atRecord(TOPICS.measured, (it) => [{ ...it, offset: it.offset + 1 }]),
  ],
  'changes one letter of an event': [
    ACKED,
    atRecord(TOPICS.raised, (it) => [{ ...it, data: it.data?.replace('x', 'y') ?? null }]),
  ],
  'repeats an event': [
    ONCE,
    atRecord(TOPICS.measured, (it) => [it, { ...it, offset: it.offset + 1 }]),
  ],
  'makes an event up': [
    ONCE,
    atRecord(TOPICS.measured, (it) => [it, { ...it, id: 'nobody', offset: it.offset + 1 }]),
  ],
  'leaves an offset out': [DENSE, atRecord(TOPICS.deposits, () => [])],
  'gives an offset twice': [
    DENSE,
    atRecord(TOPICS.commands, (it) => [{ ...it, offset: Math.max(0, it.offset - 1) }]),
  ],
  'gives a position twice': [DENSE, atRecord(TOPICS.measured, (it) => [{ ...it, position: 1 }])],
  'ends before its last record': [
    DENSE,
    (all) =>
      withSeen(all, {
        ends: all.snapshot.ends.map((end) => ({ ...end, next: Math.max(0, end.next - 1) })),
      }),
  ],
  'swaps two events of a key': [
    ORDER,
    (all) => {
      const own = all.snapshot.records.filter(
        ({ topic, key }) => topic === TOPICS.raised && key === 'm3',
      )
      const [a, b] = own as [LogRecord, LogRecord]
      const swapped = new Map([
        [a, { ...b, offset: a.offset, position: a.position ?? 0 }],
        [b, { ...a, offset: b.offset, position: b.position ?? 0 }],
      ])
      return withSeen(all, {
        records: all.snapshot.records.map((each) => swapped.get(each) ?? each),
      })
    },
  ],
  'lets an event overtake a lost one that was never acked': [
    ORDER,
    (all) => {
      const { id } = batchOf(SEED, 4).events[0] as LogEvent
      const records = all.snapshot.records.filter((record) => record.id !== id)
      return withObserved(withSeen(all, { records }), ({ acked }) => void acked.batch.delete(4))
    },
  ],
  'tears an atomic batch that was never acked': [
    WHOLE,
    (all) => {
      const last = BATCHES
      const { id } = batchOf(SEED, last).events[0] as LogEvent
      const records = all.snapshot.records.filter((record) => record.id !== id)
      return withObserved(withSeen(all, { records }), ({ acked }) => void acked.batch.delete(last))
    },
  ],
  'trims what nobody asked for': [
    TRIMMED,
    (all) =>
      withSeen(all, {
        ends: all.snapshot.ends.map((end) =>
          end.topic === TOPICS.measured ? { ...end, first: 1 } : end,
        ),
      }),
  ],
  'trims further than was asked for': [
    TRIMMED,
    (all) =>
      withSeen(all, {
        ends: all.snapshot.ends.map((end) =>
          end.topic === TOPICS.trimmed ? { ...end, first: 2 } : end,
        ),
      }),
  ],
  'forgets an acked trim': [
    TRIMMED,
    (all) => withObserved(all, ({ trimmed }) => void trimmed.set(1, { tried: 2, acked: 2 })),
  ],
  'compacts the latest record of a key away': [
    COMPACTED,
    (all) => {
      const own = all.snapshot.records.filter(({ topic }) => topic === TOPICS.compacted)
      const latest = own.at(-1) as LogRecord
      const records = all.snapshot.records.filter((record) => record !== latest)
      const { partition } = latest
      return withObserved(withSeen(all, { records }), ({ compacted }) => {
        compacted.set(partition, { tried: 10_000, acked: 10_000 })
      })
    },
  ],
  'makes half a topic': [
    MADE,
    (all) =>
      withSeen(all, {
        ends: all.snapshot.ends.filter(
          ({ topic, partition }) => topic !== 'made.topic' || partition < PARTITIONS - 1,
        ),
      }),
  ],
  'forgets a topic': [
    MADE,
    (all) =>
      withSeen(all, { ends: all.snapshot.ends.filter(({ topic }) => topic !== 'made.topic') }),
  ],
  'loses a command': [
    SENT,
    (all) =>
      withSeen(all, {
        records: all.snapshot.records.filter(({ id }) => id !== `deposit-${DEPOSITS}`),
      }),
  ],
  'counts an event twice': [STATE, atProgress({ accepted: 1_000, completed: 1_000 })],
  'counts one event less than it accepted': [STATE, atProgress({ completed: 0 })],
  'stands behind the end': [STATE, atProgress({ next: 1_000 })],
  'stands still while others say that all is settled': [
    STATE,
    atProgress({ next: 0, accepted: 0, completed: 0 }),
  ],
  'decides a command twice': [
    STATE,
    atRecord(TOPICS.deposits, (it) => [it, { ...it, id: 'again', offset: it.offset + 1 }]),
  ],
  'passes a command without its event': [STATE, atRecord(TOPICS.deposits, () => [])],
  'loses the state of an entity': [STATE, atRow(TABLES.accounts, undefined)],
  'has a state that the log does not give': [
    STATE,
    atRow(TABLES.accounts, '{"cents":1,"deposits":1,"thanks":0}'),
  ],
  'has a row that the log does not give': [STATE, atRow(TABLES.readings, '{"count":1,"last":0}')],
  'has a stale row': [STATE, atRow(TABLES.sums, '{"cents":0,"deposits":0,"thanks":0}')],
  'loses an event of an entity from its stream': [
    STATE,
    (all) => {
      const [[key, ids]] = Object.entries(all.snapshot.streams) as [[string, readonly string[]]]
      return withSeen(all, { streams: { ...all.snapshot.streams, [key]: ids.slice(1) } })
    },
  ],
  'loses a timer': [
    STATE,
    (all) => withSeen(all, { records: all.snapshot.records.filter(({ id }) => id !== 'thank-5') }),
  ],
  'fires a timer twice': [
    STATE,
    atRecord(TOPICS.commands, (it) => [it, { ...it, type: 'bank.Thank', id: 'again' }]),
  ],
  'leaves a saga open': [STATE, atRow(TABLES.thanks, '{"is":"open"}')],
  'hands an effect to the outside under two keys': [
    STATE,
    (all) => withObserved(all, ({ effects }) => void effects.get('d3')?.add('other')),
  ],
  'passes an event without its effect': [
    STATE,
    (all) => withObserved(all, ({ effects }) => void effects.delete('d3')),
  ],
}

suite('the checker of crashes', () => {
  test('finds nothing where all is well', () => {
    assert.deepEqual(findViolations(flawless()), [])
  })

  for (const [name, [check, plant]] of Object.entries(DEFECTS))
    test(`finds a backend that ${name}`, () => {
      const found = findViolations(plant(flawless())).map((complaint) => complaint.check)
      assert.ok(found.includes(check), `found ${JSON.stringify(found)}`)
    })

  test('has a planted defect for each of its checks', () => {
    const covered = new Set(Object.values(DEFECTS).map(([check]) => check))
    assert.deepEqual(
      CHECK_NAMES.filter((name) => !covered.has(name)),
      [],
    )
  })
})
