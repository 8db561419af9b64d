import { commandsTopic, eventsTopic, definitionOf, repliesTopic } from '../../contract/contract.ts'
import type { TopicSpec } from '../../ports/event-log.ts'
import type { EventStore, Row, RowWrite } from '../../ports/event-store.ts'
import type { Service } from '../../rules/service.ts'
import type { ConsumerRule, Plan, ServicePlan } from './plan.ts'
import { rowWrite, scanPages, writeRows } from '../rows/index.ts'

/**
 * What runs, as plain data, so that a system can be inspected without its code. Each service stores
 * its part.
 */
export interface Catalog {
  readonly services: readonly CatalogService[]
  readonly topics: readonly TopicSpec[]
}

export interface CatalogService {
  /** The name it is stored under; differs from `name` after a rename. */
  readonly id: string
  readonly name: string
  /** Names of the contracts it owns. */
  readonly owns: readonly string[]
  readonly rules: readonly CatalogRule[]
  /** Topics that it may write to. */
  readonly writes: readonly string[]
  /**
   * Wire names of the refusals of its commands, including aliases. Absent in entries of earlier
   * versions.
   */
  readonly refusals?: readonly string[]
}

export interface CatalogRule {
  /** `<service>/<rule>`, as its progress and its holds are stored. */
  readonly id: string
  readonly name: string
  readonly is: ConsumerRule['kind']
  /** Topics that it reads. */
  readonly reads: readonly string[]
  /** Wire names that it subscribes to, including aliases. Absent in entries of earlier versions. */
  readonly hears?: readonly string[]
}

/** The catalog entry that a service stores. */
interface CatalogEntry {
  readonly service: CatalogService
  readonly topics: readonly TopicSpec[]
}

/** Has a row per service, under its id, and other rows, whose keys contain a colon. */
export const CATALOG_TABLE = 'throughline.catalog'

const ROWS_PER_READ = 1_000

export function createCatalog({ services, topics }: Plan): Catalog {
  return {
    services: withReplyTopics(services.map(createCatalogService)),
    topics: [...topics.values()],
  }
}

function createCatalogService({
  id: serviceId,
  name,
  service,
  groups,
}: ServicePlan): CatalogService {
  const rules = groups.flatMap(({ consumers, subscriptions }) =>
    consumers.map(({ id, rule }) => {
      const heard = [...subscriptions].map(([topic, wires]) => {
        const own = [...wires].filter(([, each]) => each.some(({ consumer }) => consumer.id === id))
        return { topic, wires: own.map(([wire]) => wire) }
      })
      const reads = heard.filter(({ wires }) => wires.length > 0).map(({ topic }) => topic)
      const hears = [...new Set(heard.flatMap(({ wires }) => wires))]
      return { id, name: rule.name, is: rule.kind, reads, hears }
    }),
  )
  const owns = service.owns.map((contract) => definitionOf(contract).name)
  return {
    id: serviceId,
    name,
    owns,
    rules,
    writes: writtenTopics(service),
    refusals: refusalTypes(service),
  }
}

function refusalTypes({ owns }: Service): readonly string[] {
  return owns.flatMap((contract) =>
    [...definitionOf(contract).byName.values()]
      .filter(({ kind }) => kind === 'refusal')
      .flatMap(({ wire, aliases }) => [wire, ...aliases]),
  )
}

/** The owner of a contract also writes to the reply topics of services that send its commands. */
function withReplyTopics(services: readonly CatalogService[]): readonly CatalogService[] {
  return services.map((service) => {
    const answers = services
      .filter(({ id, rules }) => rules.some(({ reads }) => reads.includes(repliesTopic(id))))
      .filter(({ writes }) => service.owns.some((own) => writes.includes(commandsTopic(own))))
      .map(({ id }) => repliesTopic(id))
    return { ...service, writes: [...new Set([...service.writes, ...answers])] }
  })
}

/** Topics of the events it owns, and of the commands that its rules send. */
function writtenTopics(service: Service): readonly string[] {
  const topics = new Set(service.owns.map((contract) => eventsTopic(definitionOf(contract).name)))
  for (const rule of service.runs)
    if (rule.kind === 'saga' || rule.kind === 'handler')
      for (const { contract } of rule.sends) topics.add(commandsTopic(contract))
  return [...topics]
}

/**
 * Stores the catalog entry of each service, if it has changed.
 *
 * @throws Fault `STORE_UNKNOWN`
 */
export async function storeCatalog(store: EventStore, catalog: Catalog): Promise<void> {
  const { services } = catalog
  const keys = services.map(({ id }) => ({ table: CATALOG_TABLE, key: id }))
  const kept = await store.get(keys)
  const rows = services.flatMap((service, at): RowWrite[] => {
    const body = JSON.stringify(createEntry(catalog, service))
    const before = kept[at]
    if (before?.body === body) return []
    return [rowWrite({ table: CATALOG_TABLE, key: service.id }, before, body)]
  })
  if (rows.length === 0) return
  const sorted = rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  // A conflict means that another instance of the same services has just written the same entry.
  await writeRows(store, 'the catalog', sorted)
}

function createEntry({ topics }: Catalog, service: CatalogService): CatalogEntry {
  const relatedTopics = new Set([
    ...service.writes,
    ...service.rules.flatMap(({ reads }) => reads),
    ...service.owns.flatMap((name) => [commandsTopic(name), eventsTopic(name)]),
    repliesTopic(service.id),
  ])
  return { service, topics: topics.filter(({ name }) => relatedTopics.has(name)) }
}

/** Every row of the catalog, in key order. */
export async function* catalogRows(store: EventStore): AsyncGenerator<Row> {
  const scan = { table: CATALOG_TABLE, limit: ROWS_PER_READ }
  for await (const rows of scanPages(store, scan)) yield* rows
}

/** The catalog of every service that has run on this store. */
export async function readCatalog(store: EventStore): Promise<Catalog> {
  const entries: CatalogEntry[] = []
  for await (const { key, body } of catalogRows(store))
    if (!key.includes(':')) entries.push(normalizeEntry(key, JSON.parse(body) as CatalogEntry))
  const topics = new Map(entries.flatMap((each) => each.topics).map((spec) => [spec.name, spec]))
  const services = withReplyTopics(entries.map(({ service }) => service))
  return { services, topics: [...topics.values()] }
}

/** Entries of earlier versions have no ids: nothing could be renamed then. */
function normalizeEntry(key: string, { service, topics }: CatalogEntry): CatalogEntry {
  const rules = service.rules.map((rule) => ({ ...rule, id: rule.id ?? `${key}/${rule.name}` }))
  return { service: { ...service, id: key, rules }, topics }
}

/** The current name of a rule, by its id. */
export function findRuleName({ services }: Catalog, id: string): string | undefined {
  return services.flatMap(({ rules }) => rules).find((rule) => rule.id === id)?.name
}

/**
 * `<service>/<rule>` by current names, for the id of a consumer; the id itself if no rule has it.
 */
export function consumerName({ services }: Catalog, id: string): string {
  const service = services.find(({ rules }) => rules.some((rule) => rule.id === id))
  const rule = service?.rules.find((each) => each.id === id)
  return service && rule ? `${service.name}/${rule.name}` : id
}
