import fc from 'fast-check'
import { EMPTY_UNIT } from '../../../src/ports/empty-unit.ts'
import type { Command } from './commands.ts'
import { commands, filling } from './commands.ts'
import type { Open } from './run-commands.ts'
import { runCommands } from './run-commands.ts'

export interface RunOptions {
  readonly seed: number
  readonly runs: number
}

/** Overrides the defaults by `THROUGHLINE_SEED` and `THROUGHLINE_RUNS`. */
export function runOptions({ seed, runs }: RunOptions): RunOptions {
  const { THROUGHLINE_SEED, THROUGHLINE_RUNS } = process.env
  return { seed: Number(THROUGHLINE_SEED ?? seed), runs: Number(THROUGHLINE_RUNS ?? runs) }
}

const INDEX = { colour: 'a', count: 1 }
const NO_NAME = { table: 'shop.stock', key: '' }
const ENTITY = { table: 'shop.carts', key: 'a' }

/** Cases that random runs rarely reach; they run first. */
const EXAMPLES: readonly (readonly Command[])[] = [
  // All records are trimmed before the next position is given.
  [
    { kind: 'fill', topic: 'orders', number: 1, count: 20 },
    { kind: 'all' },
    ...[0, 1, 2].map((partition): Command => {
      return { kind: 'trim', topic: 'orders', partition, count: 1_000 }
    }),
    { kind: 'reopen' },
    { kind: 'fill', topic: 'payments', number: 2, count: 1 },
  ],
  // The empty text is a valid key.
  ...['{}', null].map((body): readonly Command[] => [
    { kind: 'commit', unit: { ...EMPTY_UNIT, rows: [{ ...NO_NAME, lag: 0, body, index: INDEX }] } },
    { kind: 'reopen' },
  ]),
  // Removed entries take no room in the pages of a stream.
  [
    {
      kind: 'commit',
      unit: {
        ...EMPTY_UNIT,
        appends: filling('payments', 1, 2),
        streams: [0, 1].map((append) => ({ ...ENTITY, append })),
      },
    },
    { kind: 'append', events: filling('payments', 3, 1), isAtomic: false },
    { kind: 'compact', topic: 'payments', partition: 0, count: 0, ageMs: 0 },
    { kind: 'stream', row: ENTITY, fromVersion: 0, limit: 1 },
  ],
]

/** @throws Error with the seed and the smallest failing commands */
export async function checkAgainstModel(open: Open, { seed, runs }: RunOptions): Promise<void> {
  const property = fc.asyncProperty(commands, (list) => runCommands(list, open))
  const examples = EXAMPLES.map((list): [readonly Command[]] => [list])
  await fc.assert(property, { seed, numRuns: runs, examples })
}

/** The first failing run, and its number of commands after shrinking. */
export interface Failure {
  readonly atRun: number
  readonly commands: number
}

export async function firstFailure(
  open: Open,
  { seed, runs }: RunOptions,
  isMadeSmall = true,
): Promise<Failure | undefined> {
  const property = fc.asyncProperty(commands, (list) => runCommands(list, open))
  const found = await fc.check(property, { seed, numRuns: runs, endOnFailure: !isMadeSmall })
  if (!found.failed) return undefined
  return { atRun: found.numRuns, commands: found.counterexample?.[0].length ?? 0 }
}
