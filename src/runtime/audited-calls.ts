// The writes of an app's own code, with entries in the audit trail like those of other operators.
import { checkedSelection } from './dead-letter-request.ts'
import { runAudited } from '../control/audit.ts'
import type { System } from '../control/system.ts'
import type { ParsedArguments } from '../control/verb-arguments.ts'
import type { VerbName } from '../control/verbs.ts'
import type { AdminReason, DeadLetters } from '../engine/dead-letters/index.ts'
import type { RewindScope, RewindTarget, RewoundPartition } from '../engine/operations/index.ts'

/** The calls of an app that change something as an operator does: each is in the audit trail. */
export interface OperatorCalls {
  /**
   * Pauses all consumers of a service until `resume`; work in progress commits first. The pause is
   * stored and survives a restart. Queries are still answered. Idempotent.
   *
   * @param why for the audit trail. Default for `by`: `program`
   * @throws Fault `SERVICE_NOT_FOUND`, `STORE_UNKNOWN`
   */
  pause(service: string, why?: Partial<AdminReason>): Promise<void>
  resume(service: string, why?: Partial<AdminReason>): Promise<void>
  /**
   * Moves the offsets of a handler: to the beginning or end of its topics, to an offset, or to the first
   * record stored since a time. An event that is handled again keeps its effect key and is counted
   * again; skipped events are not counted. Works while the handler runs, from any process.
   *
   * @param consumer `<service>/<handler>`
   * @param at only this topic, or this partition of it; an offset needs both. `by` and `reason` are for
   * the audit trail
   * @throws Fault `RULE_NOT_FOUND`, `REWIND_REFUSED`, `OPTION_INVALID`, `STORE_UNKNOWN`
   */
  rewind(
    consumer: string,
    to: RewindTarget,
    at?: RewindScope & Partial<AdminReason>,
  ): Promise<readonly RewoundPartition[]>
  /** Messages that have failed, and what operators can do about them. */
  readonly deadLetters: DeadLetters
}

/** Who asks, where the program does not say it. */
const PROGRAM = 'program'

type RunAudited = <T>(
  verb: VerbName,
  why: Partial<AdminReason>,
  given: ParsedArguments,
  run: () => Promise<T>,
) => Promise<T>

export function auditedCalls(system: System): OperatorCalls {
  const audited: RunAudited = (verb, { by = PROGRAM, reason = '' }, given, run) =>
    runAudited(system, { verb, taken: { ...given, by, reason }, isOptional: false }, run)
  return {
    pause: (service, why = {}) =>
      audited('pause', why, { service }, () => system.setPaused(service, true)),
    resume: (service, why = {}) =>
      audited('resume', why, { service }, () => system.setPaused(service, false)),
    rewind(consumer, to, { by, reason, ...scope } = {}) {
      const why = definedWhy(by, reason)
      const given = { consumer, to: targetText(to), ...scope }
      return audited('rewind', why, given, () => system.rewind({ consumer, to, ...scope }))
    },
    deadLetters: auditedDeadLetters(system.deadLetters, audited),
  }
}

function auditedDeadLetters(letters: DeadLetters, audited: RunAudited): DeadLetters {
  return {
    ...letters,
    list: async (options) => letters.list(checkedSelection('list', options)),
    causes: async (filter) => letters.causes(checkedSelection('filter', filter)),
    preview: async (filter) => letters.preview(checkedSelection('filter', filter)),
    async redrive(request, onProgress) {
      const { by = PROGRAM, reason = '', ...selection } = checkedSelection('request', request)
      return audited('dead-redrive', { by, reason }, { ...selection }, () =>
        letters.redrive({ ...selection, by, reason }, onProgress),
      )
    },
    async discard(request, onProgress) {
      const { by = PROGRAM, reason = '', ...selection } = checkedSelection('request', request)
      return audited('dead-discard', { by, reason }, { ...selection }, () =>
        letters.discard({ ...selection, by, reason }, onProgress),
      )
    },
    edit: (request) => {
      const { consumer, id, data, by, reason } = request
      const given = { consumer, id, data: JSON.stringify(data) }
      return audited('dead-edit', { by, reason }, given, () => letters.edit(request))
    },
    undoEdit: ({ consumer, id, by, reason }) =>
      audited('dead-undo-edit', definedWhy(by, reason), { consumer, id }, () =>
        letters.undoEdit({ consumer, id }),
      ),
  }
}

function definedWhy(by: string | undefined, reason: string | undefined): Partial<AdminReason> {
  return { ...(by === undefined ? {} : { by }), ...(reason === undefined ? {} : { reason }) }
}

/** As the command line takes it. */
function targetText(to: RewindTarget): string {
  if (typeof to === 'string') return to
  return 'offset' in to ? String(to.offset) : new Date(to.atMs).toISOString()
}
