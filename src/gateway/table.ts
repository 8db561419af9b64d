import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { AnyContract } from '../contract/contract.ts'
import { factsOf, isContract } from '../contract/contract.ts'
import type { CommandType, QueryType } from '../contract/message.ts'
import type { Description } from '../runtime/describe.ts'
import type { Route } from './route.ts'
import { paramsOf } from './route.ts'

/** The path of a message that has no route of its own. */
export function messagePath({ contract, name }: CommandType | QueryType): string {
  return `/messages/${contract}/${name}`
}

/** The routes of exposed contracts and messages. */
export function opened(
  opens: readonly (AnyContract | CommandType | QueryType)[],
): readonly Route[] {
  return opens.flatMap((each) => typesOf(each).map(routeOf))
}

function typesOf(
  each: AnyContract | CommandType | QueryType,
): readonly (CommandType | QueryType)[] {
  if (!isContract(each)) return [each]
  return [...factsOf(each).byName.values()].filter(
    (type): type is CommandType | QueryType => type.kind === 'command' || type.kind === 'query',
  )
}

const routeOf = (type: CommandType | QueryType): Route => ({
  method: 'POST',
  path: messagePath(type),
  type,
})

/** Segments of plain text, or `:name`. */
const PATH = /^(?:\/(?::[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~-]+))+$/
const OURS = /^\/(?:operations(?:\/|$)|openapi\.json$)/

/**
 * Validates all routes, and reports all issues at once.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function mustBeRoutes(
  table: readonly Route[],
  { contracts }: Description,
  neighbours: ReadonlyMap<string, unknown>,
): void {
  const complaints: Complaint[] = []
  const owned = new Set(
    contracts.filter(({ owner }) => owner !== undefined).map(({ name }) => name),
  )
  const seen = new Set<string>()
  for (const { method, path, type } of table) {
    const at = `${method} ${path}`
    const complain = (message: string): void => void complaints.push({ path: at, message })
    const shape = `${method} ${path.replaceAll(/:[^/]+/g, ':')}`
    if (!PATH.test(path)) complain('must be a path of plain segments and :names')
    else if (new Set(paramsOf(path)).size < paramsOf(path).length)
      complain('has two parameters with the same name')
    else if (OURS.test(path)) complain('is reserved by the gateway')
    if (seen.has(shape)) complain('is defined twice')
    seen.add(shape)
    if (type?.kind !== 'command' && type?.kind !== 'query')
      complain('must be for a command or a query')
    else if (!owned.has(type.contract) && !neighbours.has(type.contract))
      complain(`no service here owns ${type.contract}: list it in remote`)
    else if (owned.has(type.contract) && neighbours.has(type.contract))
      complain(`a service here owns ${type.contract}: remove it from remote`)
  }
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'gateway', complaints })
}
