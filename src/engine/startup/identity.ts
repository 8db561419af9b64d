import type { Row, RowWrite, EventStore } from '../../ports/event-store.ts'
import type { StartFrom } from '../../rules/rule.ts'
import type { Service } from '../../rules/service.ts'
import { CATALOG_TABLE, catalogRows, assignIds } from '../plan/index.ts'
import type { CatalogRule, CatalogService, KnownNames, StoredNames } from '../plan/index.ts'
import { rowWrite } from '../rows/index.ts'

/** The stored identity of a rule. */
export interface RuleIdentity {
  readonly kind: CatalogRule['is']
  /** Every name it has had, the current one last. */
  readonly names: readonly string[]
  /** Where it started in each topic it has ever read. */
  readonly topics: Readonly<Record<string, StartFrom>>
  /** The code that ran last does not have it. */
  readonly isGone?: true
}

/** The stored identity of a service and its rules; a row of the catalog. */
export interface ServiceIdentity {
  readonly names: readonly string[]
  /** Names of its contracts. */
  readonly owns: readonly string[]
  /** By their ids. */
  readonly rules: Readonly<Record<string, RuleIdentity>>
}

export interface StoredIdentity extends ServiceIdentity, KnownNames {
  /** Version of its row; 0 if there is none. */
  readonly version: number
  readonly body?: string
}

const PREFIX = 'identity:'

/** Every service that has run on this store, including those of versions without identities. */
export async function readIdentities(store: EventStore): Promise<readonly StoredIdentity[]> {
  const stored = new Map<string, StoredIdentity>()
  for await (const row of catalogRows(store)) {
    const isCatalog = !row.key.includes(':')
    if (row.key.startsWith(PREFIX)) stored.set(row.key.slice(PREFIX.length), parseIdentity(row))
    else if (isCatalog && !stored.has(row.key)) stored.set(row.key, identityFromCatalog(row))
  }
  return [...stored.values()]
}

function parseIdentity({ key, version, body }: Row): StoredIdentity {
  return { ...(JSON.parse(body) as ServiceIdentity), id: key.slice(PREFIX.length), version, body }
}

/**
 * The identity that follows from a catalog entry of an earlier version: all of its rules started at
 * the beginning.
 */
function identityFromCatalog({ key, body }: Row): StoredIdentity {
  const { service } = JSON.parse(body) as { readonly service: CatalogService }
  const rules = service.rules.map(({ name, is, reads }): [string, RuleIdentity] => {
    const topics = Object.fromEntries(reads.map((topic) => [topic, 'beginning' as const]))
    return [name, { kind: is, names: [name], topics }]
  })
  const { owns } = service
  return { id: key, names: [key], owns, rules: Object.fromEntries(rules), version: 0 }
}

/** The write of an identity, if it has changed. */
export function identityWrites(
  id: string,
  { names, owns, rules }: ServiceIdentity,
  stored: StoredIdentity | undefined,
): readonly RowWrite[] {
  const body = JSON.stringify({ names, owns, rules })
  if (stored?.body === body) return []
  return [rowWrite({ table: CATALOG_TABLE, key: `${PREFIX}${id}` }, stored, body)]
}

/** The names that services and their rules are, or will be, stored under. */
export function resolveStoredNames(
  services: readonly Service[],
  stored: readonly StoredIdentity[],
): StoredNames {
  const ids = assignIds(services, stored)
  const rules = new Map(
    services.map(({ name, runs }) => {
      const known = stored.find(({ id }) => id === ids.get(name))?.rules ?? {}
      const named = Object.entries(known).map(([id, { names }]) => ({ id, names }))
      return [
        name,
        assignIds(
          runs.filter(({ kind }) => kind !== 'query'),
          named,
        ),
      ]
    }),
  )
  return {
    service: (name) => ids.get(name) ?? name,
    rule: (service, name) => rules.get(service)?.get(name) ?? name,
  }
}
