// Which rules fail, decided by the seed alone.
import { seededRandom } from '../../../src/base/random.ts'
import { ATTEMPTS_MAX } from './order-scenario.ts'

/** How a rule behaves on one event. */
export type FailurePlan =
  | { readonly kind: 'fine' }
  /** Fails this often, then succeeds: fewer times than would make a dead letter. */
  | { readonly kind: 'some'; readonly failures: number }
  /** Fails at every attempt until it was redriven this often. */
  | { readonly kind: 'until-redriven'; readonly redrives: number }
  /** Says that no retry can help, until it was redriven once. */
  | { readonly kind: 'final' }
  /** Says so for ever. It has to be discarded. */
  | { readonly kind: 'hopeless' }

/** Failed attempts since the last redrive, and redrives, as committed. */
export interface Attempted {
  readonly attempts: number
  readonly redrives: number
}

/** What a rule does at its next attempt. */
export type Outcome = 'ok' | 'error' | 'final'

/** Shares of all deliveries, added up. */
const ONCE = 0.04
const FEW = 0.06
const UNTIL_REDRIVEN = 0.07
const FINAL = 0.076
const HOPELESS = 0.078

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1)
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}

export function planOf(seed: number, consumer: string, key: string, entry: string): FailurePlan {
  const random = seededRandom(hashOf(`${seed} ${consumer} ${key} ${entry}`))
  const chance = random()
  if (chance < ONCE) return { kind: 'some', failures: 1 }
  if (chance < FEW) return { kind: 'some', failures: 2 + Math.floor(random() * (ATTEMPTS_MAX - 2)) }
  if (chance < UNTIL_REDRIVEN) return { kind: 'until-redriven', redrives: random() < 0.3 ? 2 : 1 }
  if (chance < FINAL) return { kind: 'final' }
  return chance < HOPELESS ? { kind: 'hopeless' } : { kind: 'fine' }
}

export function outcomeOf(plan: FailurePlan, { attempts, redrives }: Attempted): Outcome {
  switch (plan.kind) {
    case 'fine':
      return 'ok'
    case 'some':
      return attempts < plan.failures ? 'error' : 'ok'
    case 'until-redriven':
      return redrives < plan.redrives ? 'error' : 'ok'
    case 'final':
      return redrives < 1 ? 'final' : 'ok'
    case 'hopeless':
      return 'final'
  }
}
