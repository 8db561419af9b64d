import { pause, systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/fault.ts'
import type { TopicPage } from '../../control/browse.ts'
import type { EventView } from '../../control/views.ts'
import type { Catalog } from '../../engine/catalog.ts'
import type { Asked, Command } from '../command.ts'
import type { Reached } from '../data.ts'
import { directoryOf, mustBeNamed, reach, reachRunning } from '../data.ts'
import { timeText } from '../figures.ts'
import { table } from '../table.ts'
import type { Terminal } from '../terminal.ts'

const POLL_MS = 500
/** What is read at once while following, of each partition. */
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
    else if (page.events.length === 0) terminal.tell('Nothing is there.')
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
    const message = `must be a whole number from 0 to ${count - 1}: ${topic} has no other`
    const complaints = [{ path: 'partition', message }]
    throw new Fault('OPTION_INVALID', { detail: 'log', complaints })
  }
  // Awaited here: behind the return the data is closed.
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

/** Each partition by itself, since a limit counts over all that are read together. */
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

/** Prints what is there, then what comes, until it is told to stop or nobody reads any more. */
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
      if (!isTold) terminal.tell(`Nobody runs ${flags.data}: this waits for its owner.`)
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

/** An owner that went away may come back. */
function whenGone(cause: unknown): undefined {
  if (!(cause instanceof Fault) || cause.code !== 'OWNER_GONE') throw cause
}

/** Prints events as a table that goes on from call to call. */
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
  const { at, partition, offset, type, key, source, rule, id, data } = event
  const from = rule === undefined ? source : `${source}/${rule}`
  return [timeText(at), `${partition}@${offset}`, type, key, from, id, JSON.stringify(data)]
}
