// The randomised run: kills a process that handles events again and again, lets the last one settle, and
// checks that the order of every key has survived.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from '../../../src/base/random.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { spawnChild } from '../support/child-process.ts'
import type { OrderSize } from './order-batches.ts'
import type { OrderViolation } from './order-checks.ts'
import { findOrderViolations } from './order-checks.ts'
import { openHistory, readHistory } from './order-history.ts'
import { resolveUnits, takeFinalState } from './order-store.ts'

export interface OrderRunOptions extends OrderSize {
  readonly kills: number
  /** An empty directory. */
  readonly root: string
  readonly onProgress?: (text: string) => void
}

/** The argument of the victim. */
export interface OrderSetup extends OrderSize {
  readonly directory: string
  readonly history: string
  readonly instance: number
}

/** The kills come from outside, so no event is held because of them. */
export const ENGINE_OPTIONS = { crashAttemptsMax: 100, queueAckMs: 10, leaseMs: 1_000 } as const

export interface OrderTally {
  readonly violations: readonly OrderViolation[]
  readonly died: number
  readonly calls: number
  readonly units: number
  readonly failures: number
  readonly deadLetters: number
  readonly redriven: number
  readonly discarded: number
  readonly operations: Readonly<Record<string, number>>
  readonly tookMs: number
}

/** A victim is killed up to this long after it has stored the event that names its end. */
const AFTER_ACK_MS_MAX = 60
/** Deadline of one victim; all of them take far less. */
const VICTIM_MS_MAX = 180_000

type VictimLine = { readonly kind: 'acked'; readonly events: number } | { readonly kind: 'settled' }

export async function runOrder(options: OrderRunOptions): Promise<OrderTally> {
  const { root, kills, seed, keys, events, onProgress = () => undefined } = options
  const began = performance.now()
  const random = seededRandom(seed)
  const directory = join(root, 'data')
  const history = join(root, 'history.jsonl')
  mkdirSync(directory)
  let died = 0
  for (let instance = 0; instance <= kills; instance += 1) {
    const isLast = instance === kills
    const setup = { directory, history, instance, seed, keys, events }
    // Evenly spread over the events, so that each victim has some of its own.
    const killAt = isLast ? Infinity : (events * (instance + random())) / Math.max(1, kills)
    const end = await runVictim(setup, killAt, random)
    if (end === 'SIGKILL') died += 1
    const write = openHistory(history)
    if (end !== 'SIGKILL' && end !== 0)
      write({ kind: 'wrong', what: `a victim ended with ${String(end)}` })
    await resolveUnits(directory, readHistory(history), write)
    write.close()
    onProgress(`${instance + 1} of ${kills + 1} processes have ended`)
    if (end !== 'SIGKILL') break
  }
  const lines = readHistory(history)
  const state = await takeFinalState(directory)
  const violations = findOrderViolations({ seed, keys, events }, lines, state)
  return { violations, died, ...tallyOf(lines), tookMs: Math.round(performance.now() - began) }
}

/** Runs one victim up to its end; returns how it ended. */
async function runVictim(
  setup: OrderSetup,
  killAt: number,
  random: Random,
): Promise<NodeJS.Signals | number | string | null> {
  const afterMs = random() * AFTER_ACK_MS_MAX
  let errors = ''
  const child = spawnChild<VictimLine>('order.child.ts', [JSON.stringify(setup)], {
    onStderr: (text) => (errors = (errors + text).slice(-2_000)),
  })
  const ended = new AbortController()
  let isLate = false
  const killAfter = (ms: number, isDeadline: boolean): void =>
    void pause(ms, undefined, { signal: ended.signal }).then(
      () => {
        isLate = isDeadline
        child.kill()
      },
      () => undefined,
    )
  killAfter(VICTIM_MS_MAX, true)
  let isDoomed = false
  for (let line = await child.next(); line; line = await child.next()) {
    if (isDoomed || line.kind !== 'acked' || line.events < killAt) continue
    isDoomed = true
    killAfter(afterMs, false)
  }
  const end = await child.ended
  ended.abort()
  if (isLate) return `the deadline of ${VICTIM_MS_MAX} ms`
  return end === 'SIGKILL' || (end === 0 && errors === '') ? end : `${String(end)}: ${errors}`
}

function tallyOf(
  lines: readonly ReturnType<typeof readHistory>[number][],
): Omit<OrderTally, 'violations' | 'died' | 'tookMs'> {
  let [calls, units, failures, deadLetters, redriven, discarded] = [0, 0, 0, 0, 0, 0]
  const operations: Record<string, number> = {}
  for (const line of lines) {
    if (line.kind === 'call') calls += 1
    if (line.kind === 'call' && line.outcome !== 'ok') failures += 1
    if (line.kind === 'operator') operations[line.action] = (operations[line.action] ?? 0) + 1
    if (line.kind !== 'unit') continue
    units += 1
    for (const { from, to, isDiscarded } of line.statuses) {
      if (to === 'FAILED' && isDiscarded) discarded += 1
      else if (to === 'FAILED') deadLetters += 1
      if (from === 'FAILED' && to === 'UNPROCESSED') redriven += 1
    }
  }
  return { calls, units, failures, deadLetters, redriven, discarded, operations }
}
