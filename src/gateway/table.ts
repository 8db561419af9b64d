import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import type { AnyContract } from '../contract/contract.ts'
import { factsOf, isContract } from '../contract/contract.ts'
import type { CommandType, QueryType } from '../contract/message.ts'
import type { Description } from '../runtime/describe.ts'
import type { Route } from './route.ts'
import { paramsOf } from './route.ts'

/** The path under which a message is asked that was opened without a path of its own. */
export function messagePath({ contract, name }: CommandType | QueryType): string {
  return `/messages/${contract}/${name}`
}

/** Routes of the contracts and messages that are opened as they are. */
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

/** Parts of plain text, or of a name after a colon. */
const PATH = /^(?:\/(?::[A-Za-z_][A-Za-z0-9_]*|[A-Za-z0-9._~-]+))+$/
const OURS = /^\/(?:operations(?:\/|$)|openapi\.json$)/

/**
 * Complains of all routes at once.
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
    if (!PATH.test(path)) complain('must be a path of plain parts and :names')
    else if (new Set(paramsOf(path)).size < paramsOf(path).length)
      complain('has two parts of one name')
    else if (OURS.test(path)) complain('is a path that every gateway serves itself')
    if (seen.has(shape)) complain('is given twice')
    seen.add(shape)
    if (type?.kind !== 'command' && type?.kind !== 'query')
      complain('must be of a command or a query')
    else if (!owned.has(type.contract) && !neighbours.has(type.contract))
      complain(`${type.contract} is owned by no service here: name it in elsewhere`)
    else if (owned.has(type.contract) && neighbours.has(type.contract))
      complain(`${type.contract} is owned by a service here, so it cannot be elsewhere`)
  }
  if (complaints.length > 0) throw new Fault('OPTION_INVALID', { detail: 'gateway', complaints })
}
