// Logs with defects of conversations.
import type { EventLog, LogRecord } from '../../../src/ports/event-log.ts'
import type { Defect } from './log-defects.ts'
import { inLog } from './log-defects.ts'

const WHOLE =
  'A conversation is its first message and all with its correlation, in the order of the log'
const PAGES = 'A conversation is read in pages, also one of thousands of messages'

const finding =
  (alter: (records: readonly LogRecord[], correlation: string) => readonly LogRecord[]) =>
  (log: EventLog): Partial<EventLog> => ({
    conversation: async (correlation, ...page) =>
      alter((await log.conversation?.(correlation, ...page)) ?? [], correlation),
  })

export const conversationDefects: readonly Defect[] = [
  inLog(
    'a conversation begins with the second message',
    WHOLE,
    finding((records, correlation) => records.filter(({ id }) => id !== correlation)),
  ),
  inLog(
    'a conversation has one topic',
    WHOLE,
    finding((records) => records.filter(({ topic }) => topic === records[0]?.topic)),
  ),
  inLog(
    'a conversation comes backwards',
    WHOLE,
    finding((records) => records.toReversed()),
  ),
  inLog('a log that says it finds no conversation finds them', WHOLE, (log) => ({
    can: { ...log.can, findByConversation: false },
  })),
  inLog('every page of a conversation is the first', PAGES, (log) => ({
    conversation: async (name, limit) => (await log.conversation?.(name, limit)) ?? [],
  })),
  inLog(
    'a conversation ends after 1,000 messages',
    PAGES,
    finding((records) => records.slice(0, 1_000)),
  ),
  inLog(
    'a trimmed message is still found in its conversation',
    'Trimmed and compacted messages are no longer found in their conversation',
    () => ({ trim: async () => undefined }),
  ),
  inLog(
    'conversations do not outlive the process',
    'A conversation is found by the next instance, and continues',
    (log) => ({ can: { ...log.can, ack: 'disk' } }),
  ),
]
