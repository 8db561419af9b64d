// An operator who redrives dead letters at random while everything runs, and discards a few.
import type { Clock } from '../../../src/base/time/clock.ts'
import { sleep } from '../../../src/base/time/clock.ts'
import type { Random } from '../../../src/base/random.ts'
import type { App } from 'throughline'
import { planOf } from './failure-plan.ts'
import type { WriteHistory } from './order-history.ts'
import type { Line } from './order-scenario.ts'
import { CONSUMERS } from './order-scenario.ts'

type DeadLetters = App['deadLetters']
type Letter = Awaited<ReturnType<DeadLetters['list']>>['items'][number]

export interface OperatorParts {
  readonly deadLetters: DeadLetters
  readonly clock: Clock
  readonly random: Random
  readonly seed: number
  readonly write: WriteHistory
  /** Whether nothing more is produced: then also what is hopeless is discarded. */
  readonly isDraining: () => boolean
  readonly stop: AbortSignal
}

const PAUSE_MS_MAX = 30
const LETTERS_SEEN = 100
const DISCARDS = 0.05
const BY = { by: 'operator', reason: 'at random' } as const

/** Works until it is stopped. */
export async function operate(parts: OperatorParts): Promise<void> {
  const { clock, random, stop, write } = parts
  while (!stop.aborted) {
    await sleep(clock, random() * PAUSE_MS_MAX, stop)
    if (stop.aborted) return
    try {
      await act(parts)
    } catch (cause) {
      if (!stop.aborted)
        write({ kind: 'wrong', what: `the operator was refused: ${String(cause)}` })
    }
  }
}

async function act(parts: OperatorParts): Promise<void> {
  const { deadLetters, random, write, seed, isDraining } = parts
  const { items } = await deadLetters.list({ limit: LETTERS_SEEN })
  const letter = items[Math.floor(random() * items.length)]
  if (!letter) return
  const one = { consumer: letter.consumer, id: letter.event.id }
  const isGivenUp = isDraining() && isHopeless(seed, letter)
  if (isGivenUp || random() < DISCARDS) {
    const { done, skipped } = await deadLetters.discard({ ...one, ...BY })
    return write({ kind: 'operator', action: 'discard', done, skipped })
  }
  const [action, filter] = await choose(parts, letter)
  const { done, skipped } = await deadLetters.redrive({ ...filter, ...BY })
  write({ kind: 'operator', action, done, skipped })
}

/** Which dead letters to redrive: one, those of a key, those of a cause, or all. */
async function choose(
  { deadLetters, random }: OperatorParts,
  { consumer, key, event: { id }, cause }: Letter,
): Promise<readonly [action: string, filter: Parameters<DeadLetters['list']>[0] & object]> {
  const chance = random()
  if (chance < 0.4) return ['id', random() < 0.5 ? { id } : { id, consumer }]
  if (chance < 0.7) return ['key', random() < 0.5 ? { key } : { key, consumer }]
  if (chance >= 0.9) return ['all', random() < 0.5 ? {} : { consumer }]
  const causes = await deadLetters.causes()
  const chosen = causes[Math.floor(random() * causes.length)]
  return ['cause', chosen ? { cause: chosen.cause, consumer: chosen.consumer } : { cause }]
}

function isHopeless(seed: number, { consumer, event, data }: Letter): boolean {
  const { key, number } = JSON.parse(data ?? '{}') as Line
  const entry = `${CONSUMERS[consumer]?.reads[event.type] ?? ''}${number}`
  return planOf(seed, consumer, key, entry).kind === 'hopeless'
}
