// The services of the randomised run: one consumer of each kind. Every rule leaves an effect in the store
// that names the event, so that the history and the final state tell what was handled, and in which order.
import type { Service } from 'throughline'
import {
  become,
  command,
  contract,
  entity,
  event,
  handler,
  projection,
  saga,
  service,
  tool,
} from 'throughline'
import { z } from 'zod'

export const PARTITIONS = 4
/** Attempts at an event until it has failed. */
export const ATTEMPTS_MAX = 4

const Line = z.object({ key: z.string(), number: z.int() })
/** An event of a key; `number` counts the events of its key and type, from 1. */
export type Line = z.infer<typeof Line>

const options = { key: 'key', partitions: PARTITIONS } as const
export const Story = contract('story', options, { Write: command(Line), Written: event(Line) })
/** Facts from outside. */
export const Notes = contract('notes', options, { Noted: event(Line) })
/** What handlers publish: their effects. */
export const Echoes = contract('echoes', options, { Heard: event(Line), Fetched: event(Line) })

/** What a consumer consumes, and where its effects are. */
export interface OrderConsumer {
  /** Whether it handles the events of a key in their order. */
  readonly isOrdered: boolean
  /** The name of an event's entry, by wire name: `w12` for the twelfth `Written` of a key. */
  readonly reads: Readonly<Record<string, string>>
  /** The topic of each wire name. */
  readonly topics: Readonly<Record<string, string>>
  /** One event with this wire name for each handled event, or a row for each key with a list of entries. */
  readonly effect: { readonly type: string } | { readonly table: string }
}

const WRITTEN_AND_NOTED = {
  reads: { 'story.Written': 'w', 'notes.Noted': 'n' },
  topics: { 'story.Written': 'story.events', 'notes.Noted': 'notes.events' },
} as const
const NOTED = { reads: { 'notes.Noted': 'n' }, topics: { 'notes.Noted': 'notes.events' } } as const

/** All consumers by their ids. */
export const CONSUMERS: Readonly<Record<string, OrderConsumer>> = {
  'story/scribe': {
    isOrdered: true,
    reads: { 'story.Write': 'c' },
    topics: { 'story.Write': 'story.commands' },
    effect: { type: 'story.Written' },
  },
  'story/pages': { isOrdered: true, ...WRITTEN_AND_NOTED, effect: { table: 'story.pages' } },
  'story/plot': { isOrdered: true, ...WRITTEN_AND_NOTED, effect: { table: 'story.plot' } },
  'story/reader': { isOrdered: true, ...NOTED, effect: { type: 'echoes.Heard' } },
  'story/couriers': { isOrdered: false, ...NOTED, effect: { type: 'echoes.Fetched' } },
}

/** The topics whose records the checker reads. */
export const TOPICS = ['story.commands', 'story.events', 'notes.events', 'echoes.events'] as const

/** The entries that a row of a consumer lists, in the order in which they were handled. */
export function entriesIn(body: string): readonly string[] {
  const value = JSON.parse(body) as readonly string[] | { readonly state: readonly string[] }
  return 'state' in value ? value.state : value
}

/** One call of a rule. */
export interface RuleCall extends Line {
  readonly consumer: string
  readonly entry: string
  readonly messageId: string
  readonly effectKey?: string
}

/** Records the calls of the rules, and lets some of them fail. */
export interface CallObserver {
  /** Called by a pure rule. Throws where the rule is to fail. */
  run(call: RuleCall): void
  /** Called by a handler. Rejects where it is to fail. */
  runLong(call: RuleCall): Promise<void>
}

const retry = { attempts: ATTEMPTS_MAX, delayMs: 4, factor: 2, delayMsMax: 30 } as const
type Context = { readonly messageId: string }

export function createOrderService({ run, runLong }: CallObserver): Service<'story', unknown> {
  const call = (rule: string, prefix: string, line: Line, { messageId }: Context): RuleCall => {
    return { ...line, consumer: `story/${rule}`, entry: `${prefix}${line.number}`, messageId }
  }
  /** Records the call, and returns the list with the entry of the event. */
  const added = (
    rule: string,
    prefix: string,
    line: Line,
    entries: readonly string[],
    context: Context,
  ): readonly string[] => {
    run(call(rule, prefix, line, context))
    return [...entries, `${prefix}${line.number}`]
  }
  const scribe = entity(
    'scribe',
    { of: Story, id: 'key', initial: 0, retry },
    {
      decide: (on) => [
        on(Story.Write, (line, _, context) => {
          run(call('scribe', 'c', line, context))
          return Story.Written(line)
        }),
      ],
      evolve: (on) => [on(Story.Written, (_, count) => count + 1)],
    },
  )
  const pages = projection('pages', { by: 'key', row: tool<readonly string[]>(), retry }, (on) => [
    on(Story.Written, (line, row = [], context) => added('pages', 'w', line, row, context)),
    on(Notes.Noted, (line, row = [], context) => added('pages', 'n', line, row, context)),
  ])
  const initial = [] as readonly string[]
  const plot = saga('plot', { by: 'key', initial, sends: [], retry }, (on) => [
    on(Story.Written, (line, state, context) => become(added('plot', 'w', line, state, context))),
    on(Notes.Noted, (line, state, context) => become(added('plot', 'n', line, state, context))),
  ])
  const reader = handler('reader', { emits: [Echoes.Heard], retry }, (on) => [
    on(Notes.Noted, async (line, _, context) => {
      await runLong({ ...call('reader', 'n', line, context), effectKey: context.effectKey })
      return Echoes.Heard(line)
    }),
  ])
  const queue = { emits: [Echoes.Fetched], retry, consume: 'queue' } as const
  const couriers = handler('couriers', queue, (on) => [
    on(Notes.Noted, async (line, _, context) => {
      await runLong({ ...call('couriers', 'n', line, context), effectKey: context.effectKey })
      return Echoes.Fetched(line)
    }),
  ])
  const runs = [scribe, pages, plot, reader, couriers]
  return service('story', { owns: [Story, Notes, Echoes], runs }) as Service<'story', unknown>
}
