import type { Complaint } from '../base/fault.ts'
import { unknownName } from '../base/options.ts'
import { flawOfStart } from '../engine/start-from.ts'
import type { Renamed } from '../rules/rule.ts'
import type { Runnable, Service } from '../rules/service.ts'

/** What nobody gives as an option: it has a place of its own in the call. */
const ARGUMENTS = new Set(['is', 'name', 'rules', 'decide', 'evolve'])
const CONSUMER = ['renamedFrom', 'startFrom']

/** The options of each kind, by their names. */
const OPTIONS: Readonly<Record<(Runnable | Service)['is'], readonly string[]>> = {
  entity: ['of', 'id', 'initial', 'emits', 'hears', 'version', ...CONSUMER],
  projection: ['by', 'row', 'indexes', 'version', ...CONSUMER],
  saga: ['by', 'initial', 'sends', 'emits', ...CONSUMER],
  handler: ['uses', 'sends', 'emits', 'concurrency', 'order', 'delayMs', 'thread', ...CONSUMER],
  query: ['of', 'reads'],
  service: ['owns', 'runs', 'renamedFrom'],
}

/** Options that there are not, each with the nearest that there is. */
export function complaintsOfOptions(path: string, given: Runnable | Service): readonly Complaint[] {
  const known = OPTIONS[given.is] ?? []
  return Object.keys(given)
    .filter((name) => !ARGUMENTS.has(name) && !known.includes(name))
    .map((name) => ({ path, message: `its option ${name} ${unknownName(name, known)}` }))
}

/** Where a rule begins, and the names that things had: what only types hold otherwise. */
export function complaintsOfStarts(
  path: string,
  { is, startFrom }: Runnable & { readonly startFrom?: unknown },
): readonly Complaint[] {
  if (startFrom === undefined || is === 'query') return []
  const flaw = is === 'projection' ? flawOfProjection(startFrom) : flawOfStart(startFrom)
  return flaw === undefined ? [] : [{ path, message: `its startFrom ${flaw}` }]
}

function flawOfProjection(startFrom: unknown): string | undefined {
  if (startFrom === 'beginning') return undefined
  return `must be 'beginning': the rows of a projection follow from every event`
}

/** Former names that are none, are those of today, or are claimed by two. */
export function complaintsOfRenaming(
  all: readonly (Renamed & { readonly path: string; readonly name: string })[],
  isName: (name: string) => boolean,
): readonly Complaint[] {
  return all.flatMap(({ path, name, renamedFrom }, at): readonly Complaint[] => {
    if (renamedFrom === undefined) return []
    const first = all.findIndex((other) => other.renamedFrom === renamedFrom)
    if (typeof renamedFrom !== 'string' || !isName(renamedFrom))
      return [{ path, message: 'its renamedFrom must be the name that it had before' }]
    if (renamedFrom === name)
      return [{ path, message: 'its renamedFrom is its name of today: leave it out' }]
    const other = all[first]?.path
    const message = `is renamed from ${renamedFrom}, and so is ${other}: only one can go on with it`
    return first < at ? [{ path, message }] : []
  })
}
