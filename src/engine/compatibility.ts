// The schemas that stored messages have had, kept beside the data, and contracts held against them.
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { compareText } from '../base/text.ts'
import { incompatibilities } from '../contract/compatibility.ts'
import type { ContractFacts } from '../contract/contract.ts'
import type { JsonSchema } from '../contract/json-schema.ts'
import { essenceOf, jsonSchemaOf, OUTSIDE, unlikePointers } from '../contract/json-schema.ts'
import type { CommandType, EventType } from '../contract/message.ts'
import { isUnprobed, probedOutput } from '../contract/probe.ts'
import type { EventStore, Row, RowWrite } from '../ports/store.ts'
import { CATALOG_TABLE, catalogRows } from './catalog.ts'
import { keepTrying } from './keep-trying.ts'
import type { EngineTools } from './tools.ts'
import { rowWrite, writeRows } from './write-rows.ts'

/** One schema under which messages were stored. */
export interface StoredSchema {
  readonly version: number
  /** When it was first seen, in milliseconds since 1970. */
  readonly since: number
  /** `null` where its library could not say it as JSON Schema: it is compared with nothing. */
  readonly schema: JsonSchema | null
  /** It says what the schema does. Absent: it is what its library states. */
  readonly isProbed?: boolean
}

/** What a store keeps of one command or event, by the wire name under which it was written. */
export interface StoredMessage {
  readonly contract: string
  readonly name: string
  readonly kind: 'command' | 'event'
  readonly wire: string
  /** By version, and as they came. */
  readonly schemas: readonly StoredSchema[]
}

/** A name of a service has no colon, so that both kinds of row live in one table. */
const PREFIX = 'message:'
const keyOf = (contract: string, wire: string): string => `${PREFIX}${contract}:${wire}`

type Kept = CommandType | EventType

/** Commands and events; refusals follow their commands, and queries are not stored. */
function messagesOf({ byName }: ContractFacts): readonly Kept[] {
  return [...byName.values()].filter(
    (type): type is Kept => type.kind === 'command' || type.kind === 'event',
  )
}

/**
 * What in contracts does not fit the messages that are stored: for every version, the schema that
 * a contract states against each schema that this version has had, under any of its wire names. A
 * stored version that a contract does not know yet is no complaint: its messages are held.
 */
export function complaintsOfStored(
  contracts: Iterable<ContractFacts>,
  stored: readonly StoredMessage[],
): readonly Complaint[] {
  const byKey = new Map(stored.map((each) => [keyOf(each.contract, each.wire), each]))
  const complaints: Complaint[] = []
  for (const facts of contracts)
    for (const type of messagesOf(facts)) {
      const stated = statedSchema(type, type.version)
      // Once it was kept, no schema could ever be held against it.
      if (stated && unlikePointers(stated) === OUTSIDE)
        complaints.push({
          path: type.wire,
          message: `its JSON Schema has ${OUTSIDE}: ${KEEP_INSIDE}`,
        })
      for (const wire of [type.wire, ...type.aliases]) {
        const known = byKey.get(keyOf(facts.name, wire))
        if (known) complaints.push(...complaintsOfMessage(type, known))
      }
    }
  return complaints
}

const KEEP_INSIDE = 'put what it refers to into its own $defs'

function complaintsOfMessage(type: Kept, stored: StoredMessage): readonly Complaint[] {
  const { wire, kind, schemas } = stored
  if (kind !== type.kind)
    return [{ path: wire, message: `was ${kindText(kind)}, and is ${kindText(type.kind)} now` }]
  const complaints = new Map<string, Complaint>()
  for (const stored of schemas) {
    const { version, schema } = stored
    const now = statedSchema(type, version)
    if (!schema || !now || isStatedAlike(type, stored)) continue
    const where = type.version > 1 ? `${wire} version ${version}` : wire
    for (const { path, message } of incompatibilities(schema, now)) {
      const complaint = { path: path ? `${where}, ${path}` : where, message }
      complaints.set(JSON.stringify(complaint), complaint)
    }
  }
  const seen = schemas.filter(({ version }) => version === type.version)
  if (seen.length >= LIMITS.schemasPerVersionMax && !isKept(stored, type))
    complaints.set('', { path: wire, message: `its version had ${seen.length} schemas already` })
  return [...complaints.values()]
}

/**
 * What is worth knowing of contracts beside stored messages, and keeps nothing from starting:
 * messages that would be held or that reach no rule, and schemas that nobody can compare.
 */
export function notesOnStored(
  contracts: readonly ContractFacts[],
  stored: readonly StoredMessage[],
): readonly Complaint[] {
  const notes: Complaint[] = []
  for (const facts of contracts)
    for (const message of stored) {
      if (message.contract !== facts.name) continue
      const note = (text: string): void => void notes.push({ path: message.wire, message: text })
      const type = messagesOf(facts).find(({ wire, aliases }) =>
        [wire, ...aliases].includes(message.wire),
      )
      const newest = message.schemas.at(-1)?.version ?? 1
      if (!type) note('is stored, and not in the contract: its messages reach no rule')
      else if (newest > type.version)
        note(`is stored in version ${newest}, which is not known here: its messages would be held`)
      else if (message.schemas.some((each) => !each.schema) || !statedSchema(type, type.version))
        note('has no JSON Schema in some version: that is compared with nothing')
      else if (isUnprobed(type.schema))
        note('takes no made-up data, so only what its library says is compared: give it examples')
    }
  return notes
}

const kindText = (kind: Kept['kind']): string => (kind === 'event' ? 'an event' : 'a command')

/** How a contract says that data of a version is; nothing where it does not know the version. */
function statedSchema(type: Kept, version: number): JsonSchema | undefined {
  const schema = schemaAt(type, version)
  const stated = schema && probedOutput(schema)
  return stated && essenceOf(stated)
}

const schemaAt = (type: Kept, version: number): Kept['schema'] | undefined =>
  version === type.version ? type.schema : type.was[version - 1]?.[0]

/** Whether a schema, of a time when nobody looked at what it does, is stated now as it was then. */
function isStatedAlike(type: Kept, { version, schema, isProbed }: StoredSchema): boolean {
  if (isProbed) return false
  const now = schemaAt(type, version)
  const stated = now && jsonSchemaOf(now, 'output')
  return stated !== undefined && JSON.stringify(essenceOf(stated)) === JSON.stringify(schema)
}

/** Whether the schema under which a contract writes is among those that are kept. */
function isKept({ schemas }: StoredMessage, type: Kept): boolean {
  const stated = statedSchema(type, type.version) ?? null
  return schemas.some((each) => isOf(each, type, stated) && (stated === null || each.isProbed))
}

const isOf = ({ version, schema }: StoredSchema, type: Kept, stated: JsonSchema | null): boolean =>
  version === type.version && JSON.stringify(schema) === JSON.stringify(stated)

/** What is kept of a message, with the schema under which a contract writes. */
function withStated(
  facts: ContractFacts,
  type: Kept,
  stored: StoredMessage | undefined,
  now: number,
): StoredMessage {
  const { name, kind, wire, version } = type
  const schema = statedSchema(type, version) ?? null
  const known = stored?.schemas ?? []
  const since = known.find((each) => isOf(each, type, schema))?.since ?? now
  const others = known.filter((each) => !isOf(each, type, schema))
  const stating = { version, since, schema, ...(schema === null ? {} : { isProbed: true }) }
  const schemas = [...others, stating].toSorted((one, other) => one.version - other.version)
  return { contract: facts.name, name, kind, wire, schemas }
}

/**
 * Holds all contracts that run here against what is stored; changes nothing.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE` with all complaints
 */
export async function mustBeCompatible(tools: EngineTools): Promise<void> {
  await compatibleRows(tools)
}

/** What is kept of all messages that are known here, once nothing in it stands against them. */
async function compatibleRows({ backend, plan }: EngineTools): Promise<Rows> {
  const contracts = [...plan.contracts.values()]
  const rows = await rowsOf(backend.store, contracts)
  const complaints = complaintsOfStored(contracts, [...rows.values()].map(messageIn))
  if (complaints.length === 0) return rows
  throw new Fault('CONTRACT_INCOMPATIBLE', {
    detail: complaints.length === 1 ? 'one change' : `${complaints.length} changes`,
    complaints: complaints.slice(0, LIMITS.complaintsMax),
  })
}

/**
 * Keeps the schemas under which this system is about to write, where they are not kept yet. Another
 * instance that starts meanwhile may have kept others: then all is held against those again.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE`, `STORE_UNKNOWN`
 */
export async function keepSchemas(tools: EngineTools): Promise<void> {
  await keepTrying(tools, 'the schemas of messages', () => areKept(tools))
}

/** One try. Where it did not succeed, what is stored has to be looked at again. */
async function areKept(tools: EngineTools): Promise<boolean> {
  const { backend, plan, clock } = tools
  // Written over the very rows that were compared: what others kept meanwhile is a conflict.
  const rows = writesOf(plan.contracts.values(), await compatibleRows(tools), clock.now())
  if (rows.length === 0) return true
  return (await writeRows(backend.store, 'a schema', rows)) === 'done'
}

type Rows = ReadonlyMap<string, Row>

/** The rows of all messages of contracts, under all of their names. */
async function rowsOf(store: EventStore, contracts: Iterable<ContractFacts>): Promise<Rows> {
  const keys = [...contracts].flatMap((facts) =>
    messagesOf(facts).flatMap(({ wire, aliases }) =>
      [wire, ...aliases].map((each) => keyOf(facts.name, each)),
    ),
  )
  const rows = await store.get(keys.map((key) => ({ table: CATALOG_TABLE, key })))
  return new Map(rows.flatMap((row) => (row ? [[row.key, row] as const] : [])))
}

const messageIn = ({ body }: Pick<Row, 'body'>): StoredMessage => JSON.parse(body) as StoredMessage

function writesOf(
  contracts: Iterable<ContractFacts>,
  rows: Rows,
  now: number,
): readonly RowWrite[] {
  const writes: RowWrite[] = []
  for (const facts of contracts)
    for (const type of messagesOf(facts)) {
      const key = keyOf(facts.name, type.wire)
      const row = rows.get(key)
      const stored = row && messageIn(row)
      if (stored && isKept(stored, type)) continue
      const body = JSON.stringify(withStated(facts, type, stored, now))
      writes.push(rowWrite({ table: CATALOG_TABLE, key }, row, body))
    }
  return writes.toSorted((one, other) => compareText(one.key, other.key))
}

/** All messages that a store keeps schemas of, by contract and wire name. */
export async function storedMessages(store: EventStore): Promise<readonly StoredMessage[]> {
  const found: StoredMessage[] = []
  for await (const row of catalogRows(store))
    if (row.key.startsWith(PREFIX)) found.push(messageIn(row))
  return found.toSorted(
    (one, other) => compareText(one.contract, other.contract) || compareText(one.wire, other.wire),
  )
}
