// Everything that can be read of a data directory without its code, in words of this file alone: what
// is frozen is compared with it, however the names of the program change. Lists, since a list has no
// names.
import { createHash } from 'node:crypto'
import { readChain, newestEvents, readTopic } from '../../src/control/read-topic.ts'
import { findMessages } from '../../src/control/browse-topic.ts'
import { overviewOf } from '../../src/control/overview.ts'
import { replay } from '../../src/control/replay.ts'
import { openOfflineSystem } from '../../src/control/offline-system.ts'
import type { System } from '../../src/control/system.ts'
import { verify } from '../../src/control/verify.ts'
import type { Clock } from '../../src/base/time/clock.ts'
import type { Issue } from '../../src/base/errors/fault.ts'
import { readStoredMessages } from '../../src/engine/startup/compatibility.ts'
import { heldKeys } from '../../src/engine/listing/held-keys.ts'
import type { HeldKey, WaitsFor } from '../../src/engine/listing/list-types.ts'
import { openSagas } from '../../src/engine/listing/open-sagas.ts'
import { listOperations } from '../../src/engine/listing/operation-list.ts'
import { listTimers } from '../../src/engine/listing/timer-list.ts'
import type { LogEnd, LogRecord } from '../../src/ports/event-log.ts'
import type { Backend, EventStore } from '../../src/ports/event-store.ts'

/** What is read, by what it is about. */
export type Content = Readonly<Record<string, unknown>>

export async function contentOf(backend: Backend, clock: Clock): Promise<Content> {
  const system = await openOfflineSystem(backend, clock)
  try {
    return {
      ...(await logOf(backend, system)),
      ...(await viewsOf(system)),
      ...(await listsOf(system)),
      ...(await rowsOf(backend.store, system)),
    }
  } finally {
    await system.close()
  }
}

async function logOf({ log }: Backend, { catalog }: System): Promise<Content> {
  const ends = await log.ends(catalog.topics.map(({ name }) => name))
  const topics: unknown[] = []
  for (const end of ends.filter(({ next }) => next > 0))
    topics.push([end.topic, end.partition, end.first, end.next, await recordsOf(log, end)])
  const specs = catalog.topics.map(({ name, partitions, strategy, retention, compaction }) => {
    return [name, partitions, strategy, retention?.ageMs ?? 0, compaction?.deleteRetentionMs ?? 0]
  })
  return { topics: specs, log: topics }
}

/** Each record with a hash of what it says; what cannot be read ends the list, or is left out. */
async function recordsOf(log: Backend['log'], end: LogEnd): Promise<readonly unknown[]> {
  const { topic, partition, first, next: to } = end
  const found: unknown[] = []
  for (let next = first; next < to;) {
    const [slice] = await log.read([{ topic, partition, next }], PLENTY, { ms: 0 })
    if (!slice) break
    found.push(...slice.records.map(recordText))
    if (slice.lost) found.push(['lost', slice.lost.from, slice.lost.to])
    if (slice.damage !== undefined) found.push(['damaged', slice.next])
    if (slice.damage !== undefined || slice.next <= next) break
    next = slice.next
  }
  return found
}

const PLENTY = { records: 1_000, bytes: 10_000_000 }

function recordText({ offset, id, key, type, at, storedAt, head, data }: LogRecord): string {
  const hash = createHash('sha256').update(`${head}\n${data}`).digest('hex').slice(0, 16)
  return `${offset} ${id} ${key} ${type} ${at} ${storedAt} ${hash}`
}

async function viewsOf(system: System): Promise<Content> {
  const overview = await overviewOf(system)
  const page = await readTopic(system, { topic: 'orders.events', limit: 4 })
  const replayed = await replay(system, { topic: 'orders.events', limit: 100 })
  const found = await findMessages(system, { text: 'ivy', limit: 100 })
  const verified = await verify(system)
  const { status, paused, alarms } = await system.health()
  return {
    health: [status, paused, alarms.map(({ kind, consumer, count }) => [kind, consumer, count])],
    services: overview.services.map((each) => [
      each.name,
      each.isPaused,
      each.lag,
      each.pending,
      each.completed,
      each.rules.map((rule) => {
        const { accepted, completed, pending, expired, lag } = rule
        return [rule.name, rule.kind, accepted, completed, pending, expired, lag].join(' ')
      }),
    ]),
    counted: overview.topics.map((each) => [each.name, each.carries, each.appended, each.retained]),
    links: overview.links.map((link) => [link.kind, link.service, link.topic].join(' ')),
    described: system.catalog.services.map(({ id, name, owns, rules, writes, refusals }) => [
      id,
      name,
      owns,
      writes,
      refusals,
      rules.map((rule) => [rule.id, rule.name, rule.is, rule.reads, rule.hears]),
    ]),
    messages: (await readStoredMessages(system.backend.store)).map((each) => [
      each.contract,
      each.name,
      each.kind,
      each.wire,
      each.schemas.map(({ version, since, schema, isProbed }) => [
        version,
        since,
        schema,
        isProbed,
      ]),
    ]),
    page: page.events.map(({ id, kind, source }) => [id, kind, source]),
    newest: (await newestEvents(system, 5)).map(({ id }) => id),
    found: found.items.map(({ id }) => id),
    replayed: replayed.events.length,
    verified: [
      verified.isSound,
      verified.topics,
      verified.records,
      verified.rows,
      verified.consumers,
      verified.issues.map(({ path }) => path),
    ],
  }
}

const heldText = (each: HeldKey): unknown => [
  each.consumer,
  each.key,
  each.since,
  each.count,
  each.event.id,
  each.attempts,
  each.nextAttemptAt,
  each.error?.code,
  each.error?.message.split('\n')[0]?.slice(0, 40),
  each.error?.firstAt,
  each.error?.lastAt,
]

const waitText = (each: WaitsFor): unknown => {
  if (each.kind === 'timer') return ['timer', each.type, each.dueAt]
  if (each.kind === 'answer') return ['answer', each.command, each.id, each.heldBy]
  return ['event', each.types, each.heldBy]
}

const complaintText = ({ path, message }: Issue): string => `${path}${message}`

async function listsOf(system: System): Promise<Content> {
  const held = await heldKeys(system)
  const sagas = await openSagas(system)
  const operations = await listOperations(system)
  const timers = await listTimers(system)
  const outcomes = await Promise.all(
    operations.items.map(async ({ id }) => {
      const { correlation, events, operation, held: waiting } = await readChain(system, id, 100_000)
      const steps = events.map(({ kind, type, source, rule }) =>
        [kind, type, source, rule].join(' '),
      )
      const complaints = operation?.issues?.map(complaintText)
      const outcome = [operation?.status, operation?.kind, operation?.reason, complaints]
      return [correlation, outcome, waiting.length, steps]
    }),
  )
  return {
    held: held.items.map(heldText),
    sagas: sagas.items.map((each) => [
      each.saga,
      each.instance,
      each.operation,
      each.since,
      each.waitsFor.map(waitText),
    ]),
    operations: operations.items.map(({ id, command, key, at, state, waitsFor }) => [
      id,
      command,
      key,
      at,
      [state.kind, state.status, state.reason],
      waitsFor.map(waitText),
    ]),
    timers: timers.items.map(({ saga, instance, type, dueAt, attempts }) => [
      saga,
      instance,
      type,
      dueAt,
      attempts,
    ]),
    chains: outcomes,
  }
}

/** How many rows each table has, and where streams end. */
async function rowsOf(store: EventStore, { catalog }: System): Promise<Content> {
  const tables: unknown[] = []
  for (const table of (await store.tables?.()) ?? []) {
    // A table of the store itself, which has no rows to scan.
    if (!table.includes('.')) continue
    const rows = await store.scan({ table, limit: 1_000 })
    tables.push([table, rows.map(({ key, version }) => `${key} ${version}`)])
  }
  const entities = catalog.services.flatMap(({ rules }) =>
    rules.filter(({ is }) => is === 'entity'),
  )
  const streams: unknown[] = []
  for (const { id } of entities) {
    const table = id.replace('/', '.')
    for (const { key, version } of await store.streams(table, undefined, 1_000)) {
      const records = await store.stream({ table, key }, 1, 100)
      streams.push([table, key, version, records.map((record) => record.id)])
    }
  }
  const consumers = catalog.services.flatMap(({ rules }) => rules.map(({ id }) => id))
  const progress = await store.progress([...consumers, 'sales/report.shadow', 'sales/gone'])
  return {
    tables,
    streams,
    progress: progress.map((each) => {
      const { consumer, topic, partition, next } = each
      const { accepted, completed, pending, expired } = each
      return [consumer, topic, partition, next, accepted, completed, pending, expired].join(' ')
    }),
  }
}
