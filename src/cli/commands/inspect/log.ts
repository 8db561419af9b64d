import { sleep, systemClock } from '../../../base/time/clock.ts'
import { Fault } from '../../../base/errors/fault.ts'
import type { TopicPage } from '../../../control/read-topic.ts'
import type { EventView } from '../../../control/views.ts'
import type { Catalog } from '../../../engine/plan/index.ts'
import type { Invocation, Command } from '../../shared/command.ts'
import type { OpenSystem } from '../../shared/open-system.ts'
import {
  dataDirectory,
  assertKnownName,
  openSystem,
  connectToOwner,
} from '../../shared/open-system.ts'
import { timeText } from '../../terminal/format.ts'
import { sourceText } from '../../shared/listing.ts'
import { table } from '../../terminal/table.ts'
import type { Terminal } from '../../terminal/terminal.ts'

const POLL_MS = 500
/** Maximum number of records per partition and read while following. */
const FOLLOWED_MAX = 1_000

const WIDTH_MAX = 40

const COLUMNS = [
  { title: 'time' },
  { title: 'place', isNumber: true },
  { title: 'type', widthMax: WIDTH_MAX },
  { title: 'key', widthMax: WIDTH_MAX },
  { title: 'from', widthMax: WIDTH_MAX },
  { title: 'id', widthMax: WIDTH_MAX },
  { title: 'data' },
]

export const log: Command = async (asked) => {
  const { terminal, flags } = asked
  const page = await firstPage(asked)
  if (!flags.follow) {
    if (flags.json) terminal.print(JSON.stringify(page))
    else if (page.events.length === 0) terminal.notice('No messages.')
    else createTablePrinter(terminal)(page.events)
    return 0
  }
  const lines = (events: readonly EventView[]): void => {
    for (const event of events) terminal.print(JSON.stringify(event))
  }
  await follow(asked, page, flags.json ? lines : createTablePrinter(terminal))
  return 0
}

async function firstPage(asked: Invocation): Promise<TopicPage> {
  const { args, flags } = asked
  const { partition, limit } = flags
  const from = flags.from as number | undefined
  const [topic = ''] = args
  await using system = await openSystem(asked)
  const { topics } = (await system.run('describe')) as Catalog
  const names = topics.map(({ name }) => name)
  assertKnownName('TOPIC_NOT_FOUND', topic, names)
  const count = topics.find(({ name }) => name === topic)?.partitions ?? 1
  if (partition !== undefined && partition >= count) {
    const message = `must be a whole number from 0 to ${count - 1}`
    const issues = [{ path: 'partition', message }]
    throw new Fault('OPTION_INVALID', { detail: 'log', issues })
  }
  // `await`, since `using` closes the system on return.
  return await read(system, { topic, partition, from, limit })
}

interface ReadOptions {
  readonly topic: string
  readonly partition: number | undefined
  readonly from?: number | undefined
  readonly limit: number
}

async function read(
  system: OpenSystem,
  { topic, partition, from, limit }: ReadOptions,
): Promise<TopicPage> {
  const page = await system.run('log', {
    topic,
    limit,
    ...(partition === undefined ? {} : { partition }),
    ...(from === undefined ? {} : { from }),
  })
  return page as TopicPage
}

/** Reads each partition with its own limit. */
async function readAll(system: OpenSystem, options: readonly ReadOptions[]): Promise<TopicPage> {
  const pages: TopicPage[] = []
  for (const wish of options) pages.push(await read(system, wish))
  const events = pages.flatMap((page) => page.events)
  return {
    events: events.toSorted((one, other) => one.at - other.at),
    next: pages.flatMap((page) => page.next),
  }
}

type PrintEvents = (events: readonly EventView[]) => void

/** Prints the first page, then new messages, until the command is stopped or the output is closed. */
async function follow(asked: Invocation, first: TopicPage, print: PrintEvents): Promise<void> {
  const { terminal, args, flags } = asked
  const [topic = ''] = args
  const clock = systemClock()
  const { signal, outputClosed } = terminal
  const ended = signal ? AbortSignal.any([signal, outputClosed]) : outputClosed
  let { next } = first
  let isReported = false
  let isBehind = false
  print(first.events)
  while (!ended.aborted) {
    if (!isBehind) await sleep(clock, POLL_MS, ended)
    isBehind = false
    if (ended.aborted) return
    const owner = await connectToOwner(dataDirectory(asked))
    if (!owner) {
      if (!isReported) terminal.notice(`${flags.data} has no running owner: waiting for one.`)
      isReported = true
      continue
    }
    isReported = false
    const wishes = next.map(({ partition, next: from }) => {
      return { topic, partition, from, limit: FOLLOWED_MAX }
    })
    const page = await readAll(owner, wishes).catch(ignoreOwnerGone)
    if (!page) continue
    print(page.events)
    next = page.next
    isBehind = page.events.length > 0
  }
}

/** Ignores the end of the owner, which may start again. */
function ignoreOwnerGone(cause: unknown): undefined {
  if (!(cause instanceof Fault) || cause.code !== 'OWNER_GONE') throw cause
}

/** Prints events as one table over several calls. */
function createTablePrinter({ print, paint, columns }: Terminal): PrintEvents {
  const growing = table(COLUMNS, paint, columns)
  let hasHead = false
  return (events) => {
    if (events.length === 0) return
    const lines = growing.lines(events.map(rowOf))
    if (!hasHead) print(growing.head())
    hasHead = true
    for (const line of lines) print(line)
  }
}

function rowOf(event: EventView): readonly string[] {
  const { at, partition, offset, type, key, id, data } = event
  const place = `${partition}@${offset}`
  return [timeText(at), place, type, key, sourceText(event), id, JSON.stringify(data)]
}
