import { appendCases, textCases } from './append.ts'
import { compactCases, keepingCases } from './keeping.ts'
import { boundCases, readCases, waitCases } from './read.ts'
import { abilityCases, idCases, refusalCases } from './refusals.ts'
import type { LogCase } from './sample.ts'
import { storableEventCases } from './texts.ts'
import { lastingCases, topicCases, trimCases } from './topics.ts'

/** Every promise of an `EventLog`. */
export const logCases: readonly LogCase[] = [
  ...topicCases,
  ...appendCases,
  ...textCases,
  ...storableEventCases,
  ...idCases,
  ...refusalCases,
  ...abilityCases,
  ...readCases,
  ...waitCases,
  ...boundCases,
  ...trimCases,
  ...keepingCases,
  ...compactCases,
  ...lastingCases,
]
