import { pause, systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { TopicPage } from '../../control/browse.ts'
import type { EventView } from '../../control/views.ts'
import type { Catalog } from '../../engine/catalog.ts'
import type { Asked, Command } from '../command.ts'
import type { Reached } from '../data.ts'
import { directoryOf, mustBeNamed, reach, reachRunning } from '../data.ts'
import { timeText } from '../figures.ts'
import { sourceText } from '../listing.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

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
    else if (page.events.length === 0) terminal.tell('No messages.')
    else shower(terminal)(page.events)
    return 0
  }
  const lines = (events: readonly EventView[]): void => {
    for (const event of events) terminal.print(JSON.stringify(event))
  }
  await follow(asked, page, flags.json ? lines : shower(terminal))
  return 0
}

async function firstPage(asked: Asked): Promise<TopicPage> {
  const { args, flags } = asked
  const { partition, limit } = flags
  const from = flags.from as number | undefined
  const [topic = ''] = args
  await using system = await reach(asked)
  const { topics } = (await system.run('describe')) as Catalog
  const names = topics.map(({ name }) => name)
  mustBeNamed('TOPIC_NOT_FOUND', topic, names)
  const count = topics.find(({ name }) => name === topic)?.partitions ?? 1
  if (partition !== undefined && partition >= count) {
    const message = `must be a whole number from 0 to ${count - 1}`
    const complaints = [{ path: 'partition', message }]
    throw new Fault('OPTION_INVALID', { detail: 'log', complaints })
  }
  // `await`, since `using` closes the system on return.
  return await read(system, { topic, partition, from, limit })
}

interface Wish {
  readonly topic: string
  readonly partition: number | undefined
  readonly from?: number | undefined
  readonly limit: number
}

async function read(system: Reached, { topic, partition, from, limit }: Wish): Promise<TopicPage> {
  const page = await system.run('log', {
    topic,
    limit,
    ...(partition === undefined ? {} : { partition }),
    ...(from === undefined ? {} : { from }),
  })
  return page as TopicPage
}

/** Reads each partition with its own limit. */
async function readAll(system: Reached, wishes: readonly Wish[]): Promise<TopicPage> {
  const pages: TopicPage[] = []
  for (const wish of wishes) pages.push(await read(system, wish))
  const events = pages.flatMap((page) => page.events)
  return {
    events: events.toSorted((one, other) => one.at - other.at),
    next: pages.flatMap((page) => page.next),
  }
}

type Show = (events: readonly EventView[]) => void

/** Prints the first page, then new messages, until the command is stopped or the output is closed. */
async function follow(asked: Asked, first: TopicPage, show: Show): Promise<void> {
  const { terminal, args, flags } = asked
  const [topic = ''] = args
  const clock = systemClock()
  const { signal, unread } = terminal
  const ended = signal ? AbortSignal.any([signal, unread]) : unread
  let { next } = first
  let isTold = false
  let isBehind = false
  show(first.events)
  while (!ended.aborted) {
    if (!isBehind) await pause(clock, POLL_MS, ended)
    isBehind = false
    if (ended.aborted) return
    const owner = await reachRunning(directoryOf(asked))
    if (!owner) {
      if (!isTold) terminal.tell(`${flags.data} has no running owner: waiting for one.`)
      isTold = true
      continue
    }
    isTold = false
    const wishes = next.map(({ partition, next: from }) => {
      return { topic, partition, from, limit: FOLLOWED_MAX }
    })
    const page = await readAll(owner, wishes).catch(whenGone)
    if (!page) continue
    show(page.events)
    next = page.next
    isBehind = page.events.length > 0
  }
}

/** Ignores the end of the owner, which may start again. */
function whenGone(cause: unknown): undefined {
  if (!(cause instanceof Fault) || cause.code !== 'OWNER_GONE') throw cause
}

/** Prints events as one table over several calls. */
function shower({ print, paint, columns }: Terminal): Show {
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
