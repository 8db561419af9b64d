import type { Rule } from '../rules/rule.ts'
import type { Runnable } from '../rules/service.ts'

/** Stands between the engine and each rule that it runs on messages: a rule that runs this one. */
export type RuleSeen = (rule: Rule, of: Exclude<Runnable['is'], 'query'>) => Rule
