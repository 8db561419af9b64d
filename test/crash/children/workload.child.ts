// The workload process: runs the services, appends, sends, trims, compacts and declares topics until
// it is killed from outside, or kills itself at a kill point. Without one it does a little, settles and
// stops. It writes a line for every step; the pipe keeps the lines after a kill.
import { DatabaseSync } from 'node:sqlite'
import type { App, Message } from 'throughline'
import { start } from 'throughline'
import { embedded } from 'throughline/embedded'
import type { Backend } from '../../../src/ports/event-store.ts'
import type { Batch } from '../support/batches.ts'
import { depositOf } from '../support/batches.ts'
import type { KillPoint, WorkloadSetup } from '../support/kill-points.ts'
import { FAULT_AT, FILE_NAMES } from '../support/kill-points.ts'
import { writeLine } from '../support/write-line.ts'
import { faultsIn } from '../support/shim.ts'
import type { BatchKind, ProtocolLine } from '../support/protocol.ts'
import { batchNamed } from '../support/protocol.ts'
import type { Post } from '../support/scenario.ts'
import { Alarms, Bank, Meters, Notes, PARTITIONS, TOPICS, services } from '../support/scenario.ts'

const setup = JSON.parse(process.argv[2] ?? '') as WorkloadSetup
const { directory, seed, first, open, moment, nth } = setup
const faults = setup.faults === undefined ? undefined : faultsIn(setup.faults)
interface System {
  readonly app: App
  readonly backend: Backend
}

const connections = new Set<DatabaseSync>()

function tell(line: ProtocolLine): void {
  writeLine(line)
}

/** Collects all connections, and weakens the sync where this is a control. */
function plant(): void {
  const { exec } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function (sql) {
    connections.add(this)
    const { sync = 'FULL' } = setup
    exec.call(this, sql.replaceAll('synchronous = FULL', `synchronous = ${sync}`))
  }
}

/** Arms the kill point: the process dies at its n-th call from here on. */
function arm(now: KillPoint): void {
  const fault = FAULT_AT[now]
  if (now !== moment || !fault || !faults) return
  tell({ kind: 'armed', moment })
  faults.plan({ ...fault, nth, act: setup.act ?? 'kill' })
}

/** Disarms the kill point after an operation in which it was not reached. */
function disarm(now: KillPoint): void {
  if (now === moment) faults?.heal()
}

const hoard: unknown[] = []
const inFlight = new Set<Promise<void>>()
const IN_FLIGHT_MAX = 3

/** Allows a few calls in flight at a time; they are stored in the order in which they begin. */
async function limitInFlight(flight: Promise<void>): Promise<void> {
  inFlight.add(flight)
  void flight.finally(() => inFlight.delete(flight))
  if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight)
}

const MESSAGES: Readonly<Record<string, (data: never) => Message>> = {
  [TOPICS.measured]: Meters.Measured,
  [TOPICS.raised]: Alarms.Raised,
  [TOPICS.compacted]: Notes.Noted,
}

/** Through the app where the topic belongs to a service, else straight into the log. */
async function offsetsOf(
  { app, backend }: System,
  { isAtomic, events }: Batch,
): Promise<readonly (number | string)[]> {
  const answers =
    events[0]?.topic === TOPICS.trimmed
      ? await backend.log.append(events, { isAtomic })
      : await app.append(
          events.map(({ topic, data }) =>
            MESSAGES[topic]?.(JSON.parse(data ?? '') as never),
          ) as never,
          { isAtomic, ids: events.map(({ id }) => id) },
        )
  return answers.map((answer) =>
    answer.status === 'stored' && answer.place ? answer.place.offset : textOf(answer),
  )
}

async function append(system: System, kind: BatchKind, number: number): Promise<void> {
  const batch = batchNamed(seed, kind, number)
  tell({ kind: 'try', batchKind: kind, number })
  const offsets = await offsetsOf(system, batch)
  const wrong = offsets.find((offset) => typeof offset === 'string')
  if (wrong === undefined)
    tell({ kind: 'ack', batchKind: kind, number, offsets: offsets as number[] })
  else tell({ kind: 'wrong', what: `${kind} ${number}: ${wrong}` })
}

const textOf = (value: unknown): string => JSON.stringify(value).slice(0, 500)

async function send(app: App, number: number): Promise<void> {
  tell({ kind: 'sending', deposit: number })
  await app.send(Bank.Deposit(depositOf(number)), { id: `deposit-${number}` })
  tell({ kind: 'sent', deposit: number })
}

async function trim({ log }: Backend, partition: number): Promise<void> {
  const ends = await log.ends([TOPICS.trimmed])
  const { first = 0, next = 0 } = ends[partition] ?? {}
  const before = Math.floor((first + next) / 2)
  tell({ kind: 'trimming', partition, before })
  await log.trim(TOPICS.trimmed, partition, before)
  tell({ kind: 'trimmed', partition, before })
}

async function compact({ log }: Backend, partition: number): Promise<void> {
  const { next: before = 0 } = (await log.ends([TOPICS.compacted]))[partition] ?? {}
  tell({ kind: 'compacting', partition, before })
  await log.compact(TOPICS.compacted, partition, before, 0)
  tell({ kind: 'compacted', partition, before })
}

async function create({ log }: Backend, topic: string): Promise<void> {
  tell({ kind: 'creating', topic })
  await log.declare([{ name: topic, partitions: PARTITIONS, strategy: 'murmur2' }])
  tell({ kind: 'created', topic })
}

/** Checkpoints, as happens by itself once the write-ahead log is large. */
function checkpoint(): void {
  for (const db of connections)
    if (db.isOpen && db.location()?.endsWith('throughline.db') && !db.isTransaction)
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
}

/** Operations that run every few batches, beside appending. */
async function maintain(system: System, number: number): Promise<void> {
  const { backend } = system
  const during = async (now: KillPoint, run: () => Promise<void> | void): Promise<void> => {
    arm(now)
    await run()
    disarm(now)
  }
  if (number % 4 === 0) await limitInFlight(append(system, 'trimmed', number))
  if (number % 16 === 5) await during('trim', () => trim(backend, number % PARTITIONS))
  if (number % 16 === 7) await during('compact', () => compact(backend, number % PARTITIONS))
  if (number % 16 === 9) await during('create', () => create(backend, `made.topic${number}`))
  if (number % 16 === 11) await during('checkpoint', checkpoint)
}

const post: Post = {
  tell: async (deposit, key) => tell({ kind: 'effect', deposit, key }),
}

async function work(system: System): Promise<void> {
  const { app } = system
  for (const number of open.batches) await append(system, 'batch', number)
  for (const number of open.deposits) await send(app, number)
  arm('append')
  arm('sync')
  if (setup.isDropping) faults?.plan({ files: ['wal'], calls: ['write'], nth: 60, act: 'pretend' })
  const end = moment === 'settle' || moment === 'stop' ? first + 20 : Infinity
  for (let number = first; number < end; number += 1) {
    if (setup.isHoarding) hoard.push(Array.from({ length: 100_000 }, (_, at) => `${at}`))
    await limitInFlight(append(system, 'batch', number))
    if (number % 2 === 0) await limitInFlight(send(app, number))
    await maintain(system, number)
  }
  await Promise.all(inFlight)
}

plant()
if (setup.isUnsynced) faults?.plan({ files: FILE_NAMES, calls: ['sync'], nth: 1, act: 'pretend' })
arm('start')
const backend = embedded({ directory })
// The kills come from outside, so do not hold a message after three of them in one unit.
const engine = { crashAttemptsMax: 100 }
const app = await start(services, backend, { tools: { post }, engine })
disarm('start')
await backend.log.declare([{ name: TOPICS.trimmed, partitions: PARTITIONS, strategy: 'murmur2' }])
tell({ kind: 'up' })
await work({ app, backend })
if (moment === 'settle') {
  await app.settled()
  tell({ kind: 'settled' })
}
arm('stop')
await app.stop()
tell({ kind: 'stopped' })
