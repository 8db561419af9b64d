// Stores the schemas of messages, and checks contracts for compatibility with all stored versions.
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
  /** When it was first stored, in milliseconds since 1970. */
  readonly since: number
  /** `null` if its library cannot export JSON Schema: then it is compared with nothing. */
  readonly schema: JsonSchema | null
  /**
   * The JSON Schema was verified against the schema's behavior. Absent: it is as the library states
   * it.
   */
  readonly isProbed?: boolean
}

/** What the store has of one command or event, by the wire name it was written under. */
export interface StoredMessage {
  readonly contract: string
  readonly name: string
  readonly kind: 'command' | 'event'
  readonly wire: string
  /** In version order, and within a version in the order they were stored. */
  readonly schemas: readonly StoredSchema[]
}

/** Service names have no colon, so both kinds of row fit in one table. */
const PREFIX = 'message:'
const keyOf = (contract: string, wire: string): string => `${PREFIX}${contract}:${wire}`

type Kept = CommandType | EventType

/** Commands and events. Refusals follow their commands, and queries are not stored. */
function messagesOf({ byName }: ContractFacts): readonly Kept[] {
  return [...byName.values()].filter(
    (type): type is Kept => type.kind === 'command' || type.kind === 'event',
  )
}

/**
 * Incompatibilities between contracts and stored messages: for each version, the schema in the
 * contract against every schema stored for that version, under any wire name. A stored version that
 * the contract does not know is no issue: its messages are held.
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
      // Once stored, it could never be compared with a later schema.
      if (stated && unlikePointers(stated) === OUTSIDE)
        complaints.push({
          path: type.wire,
          message: `its JSON Schema contains ${OUTSIDE}: ${KEEP_INSIDE}`,
        })
      for (const wire of [type.wire, ...type.aliases]) {
        const known = byKey.get(keyOf(facts.name, wire))
        if (known) complaints.push(...complaintsOfMessage(type, known))
      }
    }
  return complaints
}

const KEEP_INSIDE = 'move the referenced schema into its own $defs'

function complaintsOfMessage(type: Kept, stored: StoredMessage): readonly Complaint[] {
  const { wire, kind, schemas } = stored
  if (kind !== type.kind)
    return [
      {
        path: wire,
        message: `was ${kindText(kind)} and is now ${kindText(type.kind)}: give it another wire name`,
      },
    ]
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
    complaints.set('', {
      path: wire,
      message: `version ${type.version} has ${seen.length} stored schemas, the limit: raise its version`,
    })
  return [...complaints.values()]
}

/**
 * Warnings that do not prevent a start: stored messages that would be held or reach no rule, and
 * schemas that cannot be compared.
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
      if (!type) note('is stored but not in the contract: its messages reach no rule')
      else if (newest > type.version)
        note(
          `is stored in version ${newest}, which the contract does not know: its messages would be held`,
        )
      else if (message.schemas.some((each) => !each.schema) || !statedSchema(type, type.version))
        note('has a version without JSON Schema, which is compared with nothing')
      else if (isUnprobed(type.schema))
        note(
          'rejects generated data, so only the JSON Schema of its library is compared: add examples to it',
        )
    }
  return notes
}

const kindText = (kind: Kept['kind']): string => (kind === 'event' ? 'an event' : 'a command')

/**
 * The JSON Schema of a version in the contract; `undefined` if the contract does not know the
 * version.
 */
function statedSchema(type: Kept, version: number): JsonSchema | undefined {
  const schema = schemaAt(type, version)
  const stated = schema && probedOutput(schema)
  return stated && essenceOf(stated)
}

const schemaAt = (type: Kept, version: number): Kept['schema'] | undefined =>
  version === type.version ? type.schema : type.was[version - 1]?.[0]

/**
 * Whether a schema that was stored before schemas were verified is still stated in the same way.
 */
function isStatedAlike(type: Kept, { version, schema, isProbed }: StoredSchema): boolean {
  if (isProbed) return false
  const now = schemaAt(type, version)
  const stated = now && jsonSchemaOf(now, 'output')
  return stated !== undefined && JSON.stringify(essenceOf(stated)) === JSON.stringify(schema)
}

/** Whether the schema that the contract writes under is stored already. */
function isKept({ schemas }: StoredMessage, type: Kept): boolean {
  const stated = statedSchema(type, type.version) ?? null
  return schemas.some((each) => isOf(each, type, stated) && (stated === null || each.isProbed))
}

const isOf = ({ version, schema }: StoredSchema, type: Kept, stated: JsonSchema | null): boolean =>
  version === type.version && JSON.stringify(schema) === JSON.stringify(stated)

/** A stored message, with the schema that the contract writes under added. */
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
 * Checks all contracts of this process against what is stored; changes nothing.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE` with all issues
 */
export async function mustBeCompatible(tools: EngineTools): Promise<void> {
  await compatibleRows(tools)
}

/** The stored rows of all messages known here, once they are compatible. */
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
 * Stores the schemas that this system writes under, if they are new. If another instance that
 * starts at the same time has stored others, checks everything against those again.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE`, `STORE_UNKNOWN`
 */
export async function keepSchemas(tools: EngineTools): Promise<void> {
  await keepTrying(tools, 'the schemas of messages were not stored', () => areKept(tools))
}

/** One attempt. After a failure, the stored rows are read again. */
async function areKept(tools: EngineTools): Promise<boolean> {
  const { backend, plan, clock } = tools
  // Writes expect the rows that were compared, so a concurrent change is a conflict.
  const rows = writesOf(plan.contracts.values(), await compatibleRows(tools), clock.now())
  if (rows.length === 0) return true
  return (await writeRows(backend.store, 'a schema', rows)) === 'done'
}

type Rows = ReadonlyMap<string, Row>

/** The stored rows of all messages of these contracts, under all of their wire names. */
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

/** All messages with stored schemas, in order of contract and wire name. */
export async function storedMessages(store: EventStore): Promise<readonly StoredMessage[]> {
  const found: StoredMessage[] = []
  for await (const row of catalogRows(store))
    if (row.key.startsWith(PREFIX)) found.push(messageIn(row))
  return found.toSorted(
    (one, other) => compareText(one.contract, other.contract) || compareText(one.wire, other.wire),
  )
}
