import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import type { OptionTable } from '../base/options.ts'
import { resolveOptions, unknownNameMessage } from '../base/options.ts'
import { ON_FAILED, REDRIVE_OPTIONS, RETRY_OPTIONS } from '../rules/failure-policy.ts'
import { startFromIssue } from '../engine/plan/index.ts'
import type { Renamable } from '../rules/rule.ts'
import type { Runnable, Service } from '../rules/service.ts'

/** Members of a rule or service that are not options but separate arguments. */
const ARGUMENTS = new Set(['kind', 'name', 'rules', 'decide', 'evolve'])
const CONSUMER = ['renamedFrom', 'startFrom', 'retry', 'onFailed', 'redrive']

/** The names of the options of each kind of rule, and of a service. */
const OPTIONS: Readonly<Record<(Runnable | Service)['kind'], readonly string[]>> = {
  entity: ['of', 'id', 'initial', 'emits', 'receives', 'version', ...CONSUMER],
  projection: ['by', 'row', 'indexes', 'version', ...CONSUMER],
  saga: ['by', 'initial', 'sends', 'emits', ...CONSUMER],
  handler: [
    'uses',
    'sends',
    'emits',
    'concurrency',
    'consume',
    'delayMs',
    'timeoutMs',
    'thread',
    ...CONSUMER,
  ],
  query: ['of', 'reads'],
  service: ['owns', 'runs', 'edges', 'renamedFrom'],
}

/** Unknown options, each with the most similar known name. */
export function optionIssues(path: string, given: Runnable | Service): readonly Issue[] {
  const known = OPTIONS[given.kind] ?? []
  return Object.keys(given)
    .filter((name) => !ARGUMENTS.has(name) && !known.includes(name))
    .map((name) => ({ path, message: `its option ${name} ${unknownNameMessage(name, known)}` }))
}

/** Issues of `startFrom`, which only TypeScript would catch otherwise. */
export function startFromIssues(
  path: string,
  { kind, startFrom }: Runnable & { readonly startFrom?: unknown },
): readonly Issue[] {
  if (startFrom === undefined || kind === 'query') return []
  const reason =
    kind === 'projection' ? invalidProjectionStartReason(startFrom) : startFromIssue(startFrom)
  return reason === undefined ? [] : [{ path, message: `its startFrom ${reason}` }]
}

function invalidProjectionStartReason(startFrom: unknown): string | undefined {
  if (startFrom === 'beginning') return undefined
  return `must be 'beginning': a projection reads every event`
}

/** Issues of `retry`, `onFailed` and `redrive`. */
export function failureIssues(path: string, given: Runnable): readonly Issue[] {
  if (given.kind === 'query') return []
  const { retry, onFailed, redrive } = given
  const issues: string[] = []
  if (onFailed !== undefined && !ON_FAILED.includes(onFailed))
    issues.push(`its onFailed must be one of ${ON_FAILED.join(', ')}`)
  issues.push(...numberIssues('retry', RETRY_OPTIONS, retry))
  const { onDeploy, ...numbers } = redrive ?? {}
  if (onDeploy !== undefined && typeof onDeploy !== 'boolean')
    issues.push('its redrive.onDeploy must be true or false')
  issues.push(...numberIssues('redrive', REDRIVE_OPTIONS, numbers))
  return issues.map((message) => ({ path, message }))
}

function numberIssues(owner: string, table: OptionTable, given: unknown = {}): readonly string[] {
  if (typeof given !== 'object' || given === null) return [`its ${owner} must be an object`]
  try {
    resolveOptions(owner, table, given)
    return []
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return cause.issues.map(({ path, message }) => `its ${owner}.${path} ${message}`)
  }
}

/** Issues of `renamedFrom`: not a name, the present name, or given twice. */
export function renameIssues(
  all: readonly (Renamable & { readonly path: string; readonly name: string })[],
  isName: (name: string) => boolean,
): readonly Issue[] {
  return all.flatMap(({ path, name, renamedFrom }, at): readonly Issue[] => {
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
