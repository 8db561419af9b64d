import type { Context } from 'react'
import { createContext } from 'react'
import type { Point } from './layout.ts'

/** The id of the node under the pointer. Lines that do not touch it are dimmed. */
export const HighlightContext: Context<string | undefined> = createContext<string | undefined>(
  undefined,
)

/** The part of each line that has its own beads, by edge id. */
export const BeadLinesContext: Context<ReadonlyMap<string, readonly Point[]>> = createContext<
  ReadonlyMap<string, readonly Point[]>
>(new Map())
