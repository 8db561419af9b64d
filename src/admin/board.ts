import type { Clock } from '../base/time/clock.ts'
import { withTimeout } from '../base/time/clock.ts'
import { thrownMessage } from '../base/errors/thrown-error.ts'
import type { BoardView } from './wire.ts'

/** Counts of your own for the page, such as orders by state. */
export interface Board {
  readonly title: string
  /**
   * Called about once a second while a page is open. If it throws, or does not answer within five
   * seconds, the page shows that instead of the counts.
   */
  readonly states: () => Promise<Readonly<Record<string, number>>>
  /** The meaning, and so the colour, of some states. The others are neutral. */
  readonly tones?: Readonly<Record<string, 'good' | 'bad' | 'undone'>>
}

const DEADLINE_MS = 5_000

/** The current counts of a board. An error or a timeout becomes its `error`. */
export async function boardView(
  clock: Clock,
  { title, states, tones = {} }: Board,
): Promise<BoardView> {
  try {
    const counts = await withTimeout(
      clock,
      DEADLINE_MS,
      (async () => Object.entries(await states()))(),
    )
    if (!counts) return { title, states: [], error: `no answer within ${DEADLINE_MS} ms` }
    return {
      title,
      states: counts.map(([name, count]) => {
        const tone = Object.hasOwn(tones, name) ? tones[name] : undefined
        return { name, count, ...(tone === undefined ? {} : { tone }) }
      }),
    }
  } catch (cause) {
    return { title, states: [], error: thrownMessage(cause) }
  }
}
