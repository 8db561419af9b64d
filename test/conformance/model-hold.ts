import fc from 'fast-check'
import { EMPTY_UNIT } from '../../src/ports/empty-unit.ts'
import type { Command } from './model-commands.ts'
import { commands, filling } from './model-commands.ts'
import type { Open } from './model-run.ts'
import { run } from './model-run.ts'

export interface Extent {
  readonly seed: number
  readonly runs: number
}

/** Overrides the defaults by `THROUGHLINE_SEED` and `THROUGHLINE_RUNS`. */
export function extentOf({ seed, runs }: Extent): Extent {
  const { THROUGHLINE_SEED, THROUGHLINE_RUNS } = process.env
  return { seed: Number(THROUGHLINE_SEED ?? seed), runs: Number(THROUGHLINE_RUNS ?? runs) }
}

const INDEX = { colour: 'a', count: 1 }
const NO_NAME = { table: 'shop.stock', key: '' }
const ENTITY = { table: 'shop.carts', key: 'a' }

/** Cases that random runs rarely reach; they run first. */
const SELDOM: readonly (readonly Command[])[] = [
  // All records are trimmed before the next position is given.
  [
    { is: 'fill', topic: 'orders', number: 1, count: 20 },
    { is: 'all' },
    ...[0, 1, 2].map((partition): Command => {
      return { is: 'trim', topic: 'orders', partition, count: 1_000 }
    }),
    { is: 'reopen' },
    { is: 'fill', topic: 'payments', number: 2, count: 1 },
  ],
  // The empty text is a valid key.
  ...['{}', null].map((body): readonly Command[] => [
    { is: 'commit', unit: { ...EMPTY_UNIT, rows: [{ ...NO_NAME, lag: 0, body, index: INDEX }] } },
    { is: 'reopen' },
  ]),
  // Removed entries take no room in the pages of a stream.
  [
    {
      is: 'commit',
      unit: {
        ...EMPTY_UNIT,
        appends: filling('payments', 1, 2),
        streams: [0, 1].map((append) => ({ ...ENTITY, append })),
      },
    },
    { is: 'append', events: filling('payments', 3, 1), isAtomic: false },
    { is: 'compact', topic: 'payments', partition: 0, count: 0, ageMs: 0 },
    { is: 'stream', row: ENTITY, fromVersion: 0, limit: 1 },
  ],
]

/** @throws Error with the seed and the smallest failing commands */
export async function hold(open: Open, { seed, runs }: Extent): Promise<void> {
  const property = fc.asyncProperty(commands, (list) => run(list, open))
  const examples = SELDOM.map((list): [readonly Command[]] => [list])
  await fc.assert(property, { seed, numRuns: runs, examples })
}

/** The first failing run, and its number of commands after shrinking. */
export interface Failure {
  readonly atRun: number
  readonly commands: number
}

export async function firstFailure(
  open: Open,
  { seed, runs }: Extent,
  isMadeSmall = true,
): Promise<Failure | undefined> {
  const property = fc.asyncProperty(commands, (list) => run(list, open))
  const found = await fc.check(property, { seed, numRuns: runs, endOnFailure: !isMadeSmall })
  if (!found.failed) return undefined
  return { atRun: found.numRuns, commands: found.counterexample?.[0].length ?? 0 }
}
