// Checks the state of the services: computes it from the log once more, by independent code.
import { isDeepStrictEqual } from 'node:util'
import type { LogRecord } from '../../../src/ports/event-log.ts'
import type { Row } from '../../../src/ports/event-store.ts'
import type { Balance, Count } from './scenario.ts'
import { CONSUMERS, TABLES, TOPICS } from './scenario.ts'
import type { Evidence } from './evidence.ts'

interface About {
  readonly account: string
  readonly deposit: string
  readonly cents?: number
}

const dataOf = ({ data }: LogRecord): unknown => JSON.parse(data ?? 'null')
const aboutOf = (record: LogRecord): About => dataOf(record) as About

/** The records below the progress of a consumer that it consumes. */
function heardBy(consumer: string, { snapshot }: Evidence): readonly LogRecord[] {
  const hears = CONSUMERS[consumer] ?? {}
  const next = new Map(
    snapshot.progress
      .filter((each) => each.consumer === consumer)
      .map((each) => [`${each.topic}/${each.partition}`, each.next]),
  )
  return snapshot.records.filter(
    ({ topic, partition, offset, type }) =>
      hears[topic]?.includes(type) && offset < (next.get(`${topic}/${partition}`) ?? 0),
  )
}

function rowsOf({ snapshot }: Evidence, table: string): ReadonlyMap<string, Row> {
  return new Map(snapshot.rows.filter((row) => row.table === table).map((row) => [row.key, row]))
}

/** The state in a row, without the members that the engine adds. */
function stateIn(row: Row | undefined): unknown {
  const body = JSON.parse(row?.body ?? 'null') as Record<string, unknown> | null
  return body && 'state' in body ? body['state'] : body
}

export function* stateViolations(evidence: Evidence): Generator<string> {
  yield* counterViolations(evidence)
  if (!evidence.observed.isUp) return
  yield* decisionViolations(evidence)
  yield* balanceViolations(evidence)
  yield* readingViolations(evidence)
  yield* thanksViolations(evidence)
  yield* effectViolations(evidence)
}

function* counterViolations(evidence: Evidence): Generator<string> {
  const { snapshot, isSettled } = evidence
  for (const progress of snapshot.progress) {
    const { consumer, topic, partition, next, accepted, completed, pending, expired } = progress
    const failed = progress.dead + progress.discarded
    const name = `${consumer} on ${topic}/${partition}`
    if (accepted !== completed + failed + pending + expired)
      yield `${name}: ${accepted} accepted, ${completed} + ${failed} + ${pending} + ${expired} accounted for`
    const heard = heardBy(consumer, evidence).filter(
      (record) => record.topic === topic && record.partition === partition,
    ).length
    if (accepted !== heard) yield `${name}: ${accepted} accepted, ${heard} are below ${next}`
    if (pending + expired > 0) yield `${name}: ${pending} pending, ${expired} expired`
    const end = snapshot.ends.find((each) => each.topic === topic && each.partition === partition)
    if (next > (end?.next ?? 0)) yield `${name} has progress ${next}, behind the end`
  }
  if (!isSettled) return
  for (const [consumer, hears] of Object.entries(CONSUMERS)) {
    const all = snapshot.records.filter(({ topic, type }) => hears[topic]?.includes(type)).length
    const heard = heardBy(consumer, evidence).length
    if (heard !== all) yield `${consumer} is settled with ${heard} of ${all}`
  }
}

/** A command has exactly one event once its consumer has passed it, and none before. */
function* decisionViolations(evidence: Evidence): Generator<string> {
  const { snapshot } = evidence
  for (const [command, event] of [
    ['bank.Deposit', 'bank.Deposited'],
    ['bank.Thank', 'bank.Thanked'],
  ]) {
    const decided = heardBy('bank/account', evidence)
      .filter(({ type }) => type === command)
      .map((record) => aboutOf(record).deposit)
    const events = snapshot.records
      .filter(({ topic, type }) => topic === TOPICS.deposits && type === event)
      .map((record) => aboutOf(record).deposit)
    if (!isDeepStrictEqual(decided.toSorted(), events.toSorted()))
      yield `${command}: ${decided.length} decided, ${events.length} events: ${differing(decided, events)}`
  }
}

function differing(a: readonly string[], b: readonly string[]): string {
  const [left, right] = [new Set(a), new Set(b)]
  const only = [...a.filter((each) => !right.has(each)), ...b.filter((each) => !left.has(each))]
  return only.slice(0, 3).join(', ') || 'one of them is there twice'
}

function balances(records: readonly LogRecord[]): ReadonlyMap<string, Balance> {
  const found = new Map<string, Balance>()
  for (const record of records) {
    const { account, cents = 0 } = aboutOf(record)
    const before = found.get(account) ?? { cents: 0, deposits: 0, thanks: 0 }
    const isThanked = record.type === 'bank.Thanked'
    found.set(account, {
      cents: before.cents + (isThanked ? 0 : cents),
      deposits: before.deposits + (isThanked ? 0 : 1),
      thanks: before.thanks + (isThanked ? 1 : 0),
    })
  }
  return found
}

/** An entity reflects all its events in the log, a projection those below its progress. */
function* balanceViolations(evidence: Evidence): Generator<string> {
  const { snapshot } = evidence
  const events = snapshot.records.filter(({ topic }) => topic === TOPICS.deposits)
  const expected = {
    [TABLES.accounts]: balances(events),
    [TABLES.sums]: balances(heardBy('bank/sums', evidence)),
  }
  for (const [table, sums] of Object.entries(expected)) {
    const rows = rowsOf(evidence, table)
    for (const key of new Set([...sums.keys(), ...rows.keys()]))
      if (!isDeepStrictEqual(stateIn(rows.get(key)), sums.get(key) ?? null))
        yield `${table} ${key} is ${rows.get(key)?.body}, and ${JSON.stringify(sums.get(key))} by the log`
  }
  for (const [key, ids] of Object.entries(snapshot.streams)) {
    const own = events.filter((record) => aboutOf(record).account === key).map(({ id }) => id)
    if (!isDeepStrictEqual(ids, own))
      yield `the stream of ${key} has ${ids.length} of ${own.length}`
  }
}

function* readingViolations(evidence: Evidence): Generator<string> {
  const counts = new Map<string, Count>()
  for (const record of heardBy('metering/readings', evidence)) {
    const { meter, number } = dataOf(record) as { meter: string; number: number }
    const before = counts.get(meter) ?? { count: 0, last: 0 }
    counts.set(meter, { count: before.count + 1, last: Math.max(before.last, number) })
  }
  const rows = rowsOf(evidence, TABLES.readings)
  for (const key of new Set([...counts.keys(), ...rows.keys()]))
    if (!isDeepStrictEqual(stateIn(rows.get(key)), counts.get(key) ?? null))
      yield `${TABLES.readings} ${key} is ${rows.get(key)?.body}, and ${JSON.stringify(counts.get(key))} by the log`
}

/** A deposit that the saga has passed has a timer, or the command that the timer sent. */
function* thanksViolations(evidence: Evidence): Generator<string> {
  const { snapshot, isSettled } = evidence
  const timed = [...rowsOf(evidence, TABLES.timers).values()].map(
    ({ body }) => (JSON.parse(body) as { message: { data: About } }).message.data.deposit,
  )
  const thanked = snapshot.records
    .filter(({ topic, type }) => topic === TOPICS.commands && type === 'bank.Thank')
    .map((record) => aboutOf(record).deposit)
  const passed = heardBy('bank/thanks', evidence)
    .filter(({ type }) => type === 'bank.Deposited')
    .map((record) => aboutOf(record).deposit)
  const both = [...timed, ...thanked]
  if (!isDeepStrictEqual(both.toSorted(), passed.toSorted()))
    yield (
      `${passed.length} deposits, ${timed.length} timers and ${thanked.length} thanks: ` +
        differing(passed, both)
    )
  if (!isSettled) return
  if (timed.length > 0) yield `${timed.length} timers are left`
  for (const { key, body } of rowsOf(evidence, TABLES.thanks).values())
    if ((JSON.parse(body) as { is: string }).is !== 'closed') yield `the saga of ${key} is open`
}

function* effectViolations(evidence: Evidence): Generator<string> {
  const { observed } = evidence
  for (const [deposit, keys] of observed.effects)
    if (keys.size > 1) yield `the effect of ${deposit} has ${keys.size} keys`
  for (const record of heardBy('bank/posting', evidence)) {
    const { deposit } = aboutOf(record)
    if (!observed.effects.has(deposit)) yield `${deposit} is completed without its effect`
  }
}
