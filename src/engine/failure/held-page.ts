import type { Row } from '../../ports/event-store.ts'
import type { HeldMessage } from './hold-row.ts'

/**
 * Messages of one topic that share one row, in their order. A row for each message behind many others of
 * its key costs several times as much: see decision 25. Each gets its own row before its rule runs.
 */
export type HeldPage = readonly HeldMessage[]

/** From this many messages of a key on, further ones share rows. */
export const PAGED_FROM = 256

/** Bounds of one page: messages, and UTF-16 units of their data and heads. */
const PAGE_MAX = { messages: 256, length: 262_144 } as const

/** A page that a unit fills. */
export interface OpenPage {
  readonly messages: HeldMessage[]
  length: number
}

export const openPage = (): OpenPage => ({ messages: [], length: 0 })

/** Adds a message; `false` where the page is full, or has messages of another topic. */
export function addToPage(page: OpenPage, message: HeldMessage): boolean {
  const { messages } = page
  if (messages[0] && messages[0].topic !== message.topic) return false
  const length = page.length + message.head.length + (message.data?.length ?? 0)
  const fits = messages.length < PAGE_MAX.messages && length <= PAGE_MAX.length
  if (!fits && messages.length > 0) return false
  messages.push(message)
  page.length = length
  return true
}

/** The messages of a row of either table: one, or a page of them. */
export function messagesIn({ body }: Pick<Row, 'body'>): readonly HeldMessage[] {
  const found = JSON.parse(body) as HeldMessage | HeldPage
  return Array.isArray(found) ? (found as HeldPage) : [found as HeldMessage]
}
