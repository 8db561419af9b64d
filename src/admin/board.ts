import type { Clock } from '../base/clock.ts'
import { within } from '../base/clock.ts'
import { thrownText } from '../base/thrown.ts'
import type { BoardView } from './wire.ts'

/** Counts that a system shows of itself on the page, such as its orders by state. */
export interface Board {
  readonly title: string
  /**
   * Asked about once a second while somebody looks. What it throws, or does not answer within five
   * seconds, is shown in place of its counts.
   */
  readonly states: () => Promise<Readonly<Record<string, number>>>
  /** How some of the states are to be taken, and coloured; the others are neither good nor bad. */
  readonly tones?: Readonly<Record<string, 'good' | 'bad' | 'undone'>>
}

const DEADLINE_MS = 5_000

/** What a board shows at the moment: nothing that it does keeps the rest of the page away. */
export async function boardView(
  clock: Clock,
  { title, states, tones = {} }: Board,
): Promise<BoardView> {
  try {
    const counts = await within(clock, DEADLINE_MS, (async () => Object.entries(await states()))())
    if (!counts) return { title, states: [], error: 'it does not answer' }
    return {
      title,
      states: counts.map(([name, count]) => {
        const tone = Object.hasOwn(tones, name) ? tones[name] : undefined
        return { name, count, ...(tone === undefined ? {} : { tone }) }
      }),
    }
  } catch (cause) {
    return { title, states: [], error: thrownText(cause) }
  }
}
