import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import type { AnyContract } from '../../contract/contract.ts'
import { definitionOf, isContract } from '../../contract/contract.ts'
import type { CommandType, QueryType } from '../../contract/message.ts'
import type { AppDescription } from '../../runtime/describe.ts'
import type { Route } from './route.ts'
import { paramsOf } from './route.ts'

/** The path of a message that has no route of its own. */
export function messagePath({ contract, name }: CommandType | QueryType): string {
  return `/messages/${contract}/${name}`
}

/** The routes of exposed contracts and messages. */
export function exposedRoutes(
  expose: readonly (AnyContract | CommandType | QueryType)[],
): readonly Route[] {
  return expose.flatMap((each) => exposedTypes(each).map(routeOf))
}

function exposedTypes(
  each: AnyContract | CommandType | QueryType,
): readonly (CommandType | QueryType)[] {
  if (!isContract(each)) return [each]
  return [...definitionOf(each).byName.values()].filter(
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
const RESERVED = /^\/(?:operations(?:\/|$)|openapi\.json$)/

/**
 * Validates all routes, and reports all issues at once.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function validateRoutes(
  table: readonly Route[],
  { contracts }: AppDescription,
  remotes: ReadonlyMap<string, unknown>,
): void {
  const issues: Issue[] = []
  const owned = new Set(
    contracts.filter(({ owner }) => owner !== undefined).map(({ name }) => name),
  )
  const seen = new Set<string>()
  for (const { method, path, type } of table) {
    const at = `${method} ${path}`
    const report = (message: string): void => void issues.push({ path: at, message })
    const shape = `${method} ${path.replaceAll(/:[^/]+/g, ':')}`
    if (!PATH.test(path)) report('must be a path of plain segments and :names')
    else if (new Set(paramsOf(path)).size < paramsOf(path).length)
      report('has two parameters with the same name')
    else if (RESERVED.test(path)) report('is reserved by the gateway')
    if (seen.has(shape)) report('is defined twice')
    seen.add(shape)
    if (type?.kind !== 'command' && type?.kind !== 'query')
      report('must be for a command or a query')
    else if (!owned.has(type.contract) && !remotes.has(type.contract))
      report(`no service here owns ${type.contract}: list it in remote`)
    else if (owned.has(type.contract) && remotes.has(type.contract))
      report(`a service here owns ${type.contract}: remove it from remote`)
  }
  if (issues.length > 0) throw new Fault('OPTION_INVALID', { detail: 'gateway', issues })
}
