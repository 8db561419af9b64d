import { appendCases, roundTripCases } from './append-cases.ts'
import { compactCases, retentionCases } from './retention-cases.ts'
import { conversationCases } from './conversation-cases.ts'
import { boundCases, readCases, waitCases } from './read-cases.ts'
import { capabilityCases, idCases, refusalCases } from './refusal-cases.ts'
import type { LogCase } from './fixtures.ts'
import { storableEventCases } from './storable-text-cases.ts'
import { logDurabilityCases, topicCases, trimCases } from './topic-cases.ts'

/** Every promise of an `EventLog`. */
export const logCases: readonly LogCase[] = [
  ...topicCases,
  ...appendCases,
  ...roundTripCases,
  ...storableEventCases,
  ...idCases,
  ...refusalCases,
  ...capabilityCases,
  ...readCases,
  ...waitCases,
  ...boundCases,
  ...trimCases,
  ...retentionCases,
  ...compactCases,
  ...conversationCases,
  ...logDurabilityCases,
]
