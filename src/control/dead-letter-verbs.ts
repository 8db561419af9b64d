// The verbs for dead letters.
import type { Issue } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type {
  DeadLetterFilter,
  EditRequest,
  RedriveProgress,
  RedriveRequest,
} from '../engine/dead-letters/index.ts'
import type { ReportProgress } from '../ports/backup-and-archive.ts'
import type { System } from './system.ts'
import type { ArgumentSpec, ParsedArguments } from './verb-arguments.ts'

/** Which dead letters. */
export const DEAD_LETTER_FILTER = {
  consumer: { kind: 'text' },
  id: { kind: 'text' },
  key: { kind: 'text' },
  type: { kind: 'text' },
  cause: { kind: 'text' },
  since: { kind: 'number', min: 0 },
  until: { kind: 'number', min: 0 },
} as const satisfies Record<string, ArgumentSpec>

/** Which dead letters to change. */
export const SELECTION = {
  ...DEAD_LETTER_FILTER,
  all: { kind: 'flag' },
  perSecond: { kind: 'number', min: 1, max: 1_000_000 },
} as const satisfies Record<string, ArgumentSpec>

/** The message to edit. */
export const LETTER = {
  consumer: { kind: 'text', isRequired: true },
  id: { kind: 'text', isRequired: true },
} as const satisfies Record<string, ArgumentSpec>

export const LETTER_DATA = {
  data: { kind: 'text', isRequired: true, lengthMax: LIMITS.dataBytesMax },
} as const satisfies Record<string, ArgumentSpec>

/** A change of all dead letters must be asked for, so that a forgotten filter changes none. */
export function selectionIssues(taken: ParsedArguments): readonly Issue[] {
  const filters = Object.keys(DEAD_LETTER_FILTER).filter((name) => taken[name] !== undefined)
  const isAll = taken['all'] === true
  if (!isAll && filters.length === 0) {
    const names = Object.keys(DEAD_LETTER_FILTER).join(', ')
    return [{ path: 'all', message: `must be true, or select some by ${names}` }]
  }
  if (isAll && filters.length > 0)
    return [{ path: 'all', message: `must be left out together with ${filters.join(', ')}` }]
  return []
}

/** The data of an edit is JSON text. */
export function dataIssues({ data }: ParsedArguments): readonly Issue[] {
  try {
    if (data !== undefined) JSON.parse(String(data))
    return []
  } catch {
    return [{ path: 'data', message: 'must be JSON' }]
  }
}

/** A redrive or a discard, with its progress. */
export async function resolveDeadLetters(
  { deadLetters }: System,
  resolution: 'redrive' | 'discard',
  taken: ParsedArguments,
  onProgress: ReportProgress,
): Promise<RedriveProgress> {
  const request = definedOnly({ ...taken, all: undefined }) as unknown as RedriveRequest
  const causes = await deadLetters.causes(request)
  const total = causes.reduce((sum, { count }) => sum + count, 0)
  return deadLetters[resolution](request, ({ done, skipped }) =>
    // More may have failed meanwhile.
    onProgress({ done: done + skipped, total: Math.max(total, done + skipped) }),
  )
}

export async function editDeadLetter(
  { deadLetters }: System,
  taken: ParsedArguments,
): Promise<object> {
  const { consumer, id, data, by, reason } = taken as unknown as EditRequest & { data: string }
  await deadLetters.edit({ consumer, id, data: JSON.parse(data) as unknown, by, reason })
  return { consumer, id, isEdited: true }
}

export async function undoDeadLetterEdit(
  { deadLetters }: System,
  taken: ParsedArguments,
): Promise<object> {
  const { consumer, id, by, reason } = taken as unknown as EditRequest
  await deadLetters.undoEdit({ consumer, id, by, reason })
  return { consumer, id, isEdited: false }
}

/** The arguments that are given, for functions that take only those. */
export function definedOnly(taken: ParsedArguments): DeadLetterFilter {
  return Object.fromEntries(Object.entries(taken).filter(([, value]) => value !== undefined))
}
