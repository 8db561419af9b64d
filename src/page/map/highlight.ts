import type { Context } from 'react'
import { createContext } from 'react'
import type { Point } from './layout.ts'

/** The id of the node that is pointed at; lines that do not touch it step back. */
export const Highlight: Context<string | undefined> = createContext<string | undefined>(undefined)

/** Where each line has beads of its own, by the id of its edge. */
export const BeadLines: Context<ReadonlyMap<string, readonly Point[]>> = createContext<
  ReadonlyMap<string, readonly Point[]>
>(new Map())
