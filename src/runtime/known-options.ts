import type { Complaint } from '../base/fault.ts'
import { unknownName } from '../base/options.ts'
import { flawOfStart } from '../engine/start-from.ts'
import type { Renamed } from '../rules/rule.ts'
import type { Runnable, Service } from '../rules/service.ts'

/** Members of a rule or service that are not options but separate arguments. */
const ARGUMENTS = new Set(['is', 'name', 'rules', 'decide', 'evolve'])
const CONSUMER = ['renamedFrom', 'startFrom']

/** The names of the options of each kind of rule, and of a service. */
const OPTIONS: Readonly<Record<(Runnable | Service)['is'], readonly string[]>> = {
  entity: ['of', 'id', 'initial', 'emits', 'hears', 'version', ...CONSUMER],
  projection: ['by', 'row', 'indexes', 'version', ...CONSUMER],
  saga: ['by', 'initial', 'sends', 'emits', ...CONSUMER],
  handler: ['uses', 'sends', 'emits', 'concurrency', 'order', 'delayMs', 'thread', ...CONSUMER],
  query: ['of', 'reads'],
  service: ['owns', 'runs', 'renamedFrom'],
}

/** Unknown options, each with the most similar known name. */
export function complaintsOfOptions(path: string, given: Runnable | Service): readonly Complaint[] {
  const known = OPTIONS[given.is] ?? []
  return Object.keys(given)
    .filter((name) => !ARGUMENTS.has(name) && !known.includes(name))
    .map((name) => ({ path, message: `its option ${name} ${unknownName(name, known)}` }))
}

/** Issues of `startFrom`, which only TypeScript would catch otherwise. */
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
  return `must be 'beginning': a projection reads every event`
}

/** Issues of `renamedFrom`: not a name, the present name, or given twice. */
export function complaintsOfRenaming(
  all: readonly (Renamed & { readonly path: string; readonly name: string })[],
  isName: (name: string) => boolean,
): readonly Complaint[] {
  return all.flatMap(({ path, name, renamedFrom }, at): readonly Complaint[] => {
    if (renamedFrom === undefined) return []
    const first = all.findIndex((other) => other.renamedFrom === renamedFrom)
    if (typeof renamedFrom !== 'string' || !isName(renamedFrom))
      return [{ path, message: 'its renamedFrom must be its former name' }]
    if (renamedFrom === name)
      return [{ path, message: 'its renamedFrom is its present name: remove it' }]
    const other = all[first]?.path
    const message = `is renamed from ${renamedFrom}, and so is ${other}: only one can take over its state`
    return first < at ? [{ path, message }] : []
  })
}
