import { appendCases, textCases } from './append.conformance.ts'
import { boundCases, readCases, waitCases } from './read.conformance.ts'
import { abilityCases, idCases, refusalCases } from './refusals.conformance.ts'
import type { LogCase } from './sample.conformance.ts'
import { lastingCases, topicCases, trimCases } from './topics.conformance.ts'

/** Every promise of an `EventLog`. */
export const logCases: readonly LogCase[] = [
  ...topicCases,
  ...appendCases,
  ...textCases,
  ...idCases,
  ...refusalCases,
  ...abilityCases,
  ...readCases,
  ...waitCases,
  ...boundCases,
  ...trimCases,
  ...lastingCases,
]
