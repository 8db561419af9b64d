// A module that threads import: handlers which hold up whoever runs them, and what they work on.
import { existsSync, writeFileSync } from 'node:fs'
import { isMainThread, threadId } from 'node:worker_threads'
import { command, contract, entity, event, handler, retryAfter, send, service } from 'throughline'
import { z } from 'zod'

/** `to` says what is done with the stone; `sign` is a file that tells what goes on, or is waited for. */
const Stone = z.object({
  key: z.string(),
  number: z.int(),
  to: z.enum([
    'cut',
    'burn',
    'await-sign',
    'await-abort',
    'ignore-abort',
    'throw',
    'change',
    'exit-once',
    'stray-once',
    'stray-after',
    'fill-memory-once',
    'grow-list-once',
    'return-date',
    'return-undeclared',
    'later-once',
    'throw-later-once',
  ]),
  sign: z.string().optional(),
})
const Cut = z.object({
  key: z.string(),
  number: z.int(),
  isMain: z.boolean(),
  thread: z.int(),
  effectKey: z.string(),
  messageId: z.string(),
  at: z.int(),
})
export type Stone = z.infer<typeof Stone>
export type Cut = z.infer<typeof Cut>

export const Quarry = contract(
  'quarry',
  { key: 'key', partitions: 2 },
  {
    Break: command(Stone),
    Broken: event(Stone),
    Note: command(Cut),
    Noted: event(Cut),
    Told: event(Cut),
  },
)

const block = entity(
  'block',
  {
    of: Quarry,
    id: 'key',
    initial: [] as readonly number[],
    emits: [Quarry.Broken, Quarry.Noted],
  },
  {
    decide: (on) => [
      on(Quarry.Break, (stone) => Quarry.Broken(stone)),
      on(Quarry.Note, (cut) => Quarry.Noted(cut)),
    ],
    evolve: (on) => [
      on(Quarry.Broken, (_, cuts) => cuts),
      on(Quarry.Noted, ({ number }, cuts) => [...cuts, number]),
    ],
  },
)

/** Longer than what any test here allows a rule. */
const BURN_MS = 150

/** Has the thread do nothing else until then. */
function burnUntil(isOver: () => boolean): void {
  let sum = 0
  while (!isOver()) for (let at = 0; at < 10_000; at += 1) sum += Math.sqrt(at)
  if (Number.isNaN(sum)) throw new Error('this is never so')
}

/** The first time only: `sign` is a file that remembers it. */
function isFirst({ sign = '' }: Stone): boolean {
  if (existsSync(sign)) return false
  writeFileSync(sign, 'begun')
  return true
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()))

/** What is done with a stone before it is cut. */
async function treat(stone: Stone, signal: AbortSignal): Promise<void> {
  const { to, sign = '' } = stone
  if (to === 'burn') {
    const endMs = performance.now() + BURN_MS
    burnUntil(() => performance.now() >= endMs)
  }
  if (to === 'await-sign') {
    writeFileSync(`${sign}.begun`, '')
    burnUntil(() => existsSync(sign))
  }
  if (to === 'await-abort') {
    if (!isFirst(stone)) return
    await aborted(signal)
    writeFileSync(sign, 'aborted')
    throw new Error('gave up')
  }
  if (to === 'ignore-abort' && isFirst(stone)) burnUntil(() => false)
  if (to === 'throw') throw new Error(`the chisel broke on ${stone.number}`)
  if (to === 'change') stone.number += 1
  if (to === 'exit-once' && isFirst(stone)) process.exit(3)
  if (to === 'stray-once' && isFirst(stone)) {
    setImmediate(() => {
      throw new Error('a stray splinter')
    })
    await new Promise(() => undefined)
  }
  if (to === 'stray-after')
    setImmediate(() =>
      setImmediate(() => {
        throw new Error('a late splinter')
      }),
    )
  if (to === 'grow-list-once' && isFirst(stone)) {
    const list: number[] = []
    for (;;) list.push(list.length)
  }
  if (to === 'fill-memory-once' && isFirst(stone)) {
    const lists: unknown[] = []
    for (;;) lists.push(Array.from({ length: 1_000 }, (_, at) => ({ at })))
  }
}

const sends = [Quarry.Note]
const emits = [Quarry.Told]
const thread = import.meta.url

const masons = (name: 'mason' | 'free-mason', order: 'stream' | 'queue') =>
  handler(name, { sends, emits, thread, consume: order }, (on) => [
    on(Quarry.Broken, async (stone, _tools, { signal, effectKey, messageId, at }) => {
      await treat(stone, signal)
      const { key, number, to } = stone
      const isMain = isMainThread
      const cut = { key, number, isMain, thread: threadId, effectKey, messageId, at }
      if (to === 'later-once' && isFirst(stone)) return retryAfter(20)
      if (to === 'throw-later-once' && isFirst(stone)) throw retryAfter(20)
      if (to === 'return-date') return Quarry.Told({ ...cut, at: new Date() as never })
      if (to === 'return-undeclared') return Quarry.Noted(cut) as never
      return [Quarry.Told(cut), send(Quarry.Note(cut))]
    }),
  ])

export const mason = masons('mason', 'stream')
export const quarry = service('quarry', { owns: [Quarry], runs: [block, mason] })

/** The same without order; its handler is found in its service. */
export const heap = service('quarry', {
  owns: [Quarry],
  runs: [block, masons('free-mason', 'queue')],
})
