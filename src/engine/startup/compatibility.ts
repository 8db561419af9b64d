// Stores the schemas of messages, and checks contracts for compatibility with all stored versions.
import type { Issue } from '../../base/errors/fault.ts'
import { Fault } from '../../base/errors/fault.ts'
import { LIMITS } from '../../base/limits.ts'
import { compareText } from '../../base/text/compare-text.ts'
import { incompatibilities } from '../../contract/schema/incompatibilities.ts'
import type { ContractDefinition } from '../../contract/contract.ts'
import type { JsonSchema } from '../../contract/schema/json-schema.ts'
import {
  withoutAnnotations,
  jsonSchemaOf,
  EXTERNAL_REFERENCE,
  unresolvableReference,
} from '../../contract/schema/json-schema.ts'
import type { CommandType, EventType } from '../../contract/message.ts'
import { isUnprobed, probedOutputSchema } from '../../contract/schema/probe.ts'
import type { EventStore, Row, RowWrite } from '../../ports/event-store.ts'
import { CATALOG_TABLE, catalogRows } from '../plan/index.ts'
import { retryUntilWritten } from './retry-until-written.ts'
import type { EngineContext } from '../context/index.ts'
import { rowWrite, writeRows } from '../rows/index.ts'

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

type StoredType = CommandType | EventType

/** Commands and events. Refusals follow their commands, and queries are not stored. */
function storedTypes({ byName }: ContractDefinition): readonly StoredType[] {
  return [...byName.values()].filter(
    (type): type is StoredType => type.kind === 'command' || type.kind === 'event',
  )
}

/**
 * Incompatibilities between contracts and stored messages: for each version, the schema in the
 * contract against every schema stored for that version, under any wire name. A stored version that
 * the contract does not know is no issue: its messages are held.
 */
export function findStoredIssues(
  contracts: Iterable<ContractDefinition>,
  stored: readonly StoredMessage[],
): readonly Issue[] {
  const byKey = new Map(stored.map((each) => [keyOf(each.contract, each.wire), each]))
  const issues: Issue[] = []
  for (const facts of contracts)
    for (const type of storedTypes(facts)) {
      const stated = statedSchema(type, type.version)
      // Once stored, it could never be compared with a later schema.
      if (stated && unresolvableReference(stated) === EXTERNAL_REFERENCE)
        issues.push({
          path: type.wire,
          message: `its JSON Schema contains ${EXTERNAL_REFERENCE}: ${EXTERNAL_REFERENCE_CURE}`,
        })
      for (const wire of [type.wire, ...type.aliases]) {
        const known = byKey.get(keyOf(facts.name, wire))
        if (known) issues.push(...findMessageIssues(type, known))
      }
    }
  return issues
}

const EXTERNAL_REFERENCE_CURE = 'move the referenced schema into its own $defs'

function findMessageIssues(type: StoredType, stored: StoredMessage): readonly Issue[] {
  const { wire, kind, schemas } = stored
  if (kind !== type.kind)
    return [
      {
        path: wire,
        message: `was ${kindText(kind)} and is now ${kindText(type.kind)}: give it another wire name`,
      },
    ]
  const issues = new Map<string, Issue>()
  for (const stored of schemas) {
    const { version, schema } = stored
    const now = statedSchema(type, version)
    if (!schema || !now || isStatedAlike(type, stored)) continue
    const where = type.version > 1 ? `${wire} version ${version}` : wire
    for (const { path, message } of incompatibilities(schema, now)) {
      const issue = { path: path ? `${where}, ${path}` : where, message }
      issues.set(JSON.stringify(issue), issue)
    }
  }
  const seen = schemas.filter(({ version }) => version === type.version)
  if (seen.length >= LIMITS.schemasPerVersionMax && !isSchemaStored(stored, type))
    issues.set('', {
      path: wire,
      message: `version ${type.version} has ${seen.length} stored schemas, the limit: raise its version`,
    })
  return [...issues.values()]
}

/**
 * Warnings that do not prevent a start: stored messages that would be held or reach no rule, and
 * schemas that cannot be compared.
 */
export function findStoredWarnings(
  contracts: readonly ContractDefinition[],
  stored: readonly StoredMessage[],
): readonly Issue[] {
  const notes: Issue[] = []
  for (const facts of contracts)
    for (const message of stored) {
      if (message.contract !== facts.name) continue
      const warn = (text: string): void => void notes.push({ path: message.wire, message: text })
      const type = storedTypes(facts).find(({ wire, aliases }) =>
        [wire, ...aliases].includes(message.wire),
      )
      const newest = message.schemas.at(-1)?.version ?? 1
      if (!type) warn('is stored but not in the contract: its messages reach no rule')
      else if (newest > type.version)
        warn(
          `is stored in version ${newest}, which the contract does not know: its messages would be held`,
        )
      else if (message.schemas.some((each) => !each.schema) || !statedSchema(type, type.version))
        warn('has a version without JSON Schema, which is compared with nothing')
      else if (isUnprobed(type.schema))
        warn(
          'rejects generated data, so only the JSON Schema of its library is compared: add examples to it',
        )
    }
  return notes
}

const kindText = (kind: StoredType['kind']): string => (kind === 'event' ? 'an event' : 'a command')

/**
 * The JSON Schema of a version in the contract; `undefined` if the contract does not know the
 * version.
 */
function statedSchema(type: StoredType, version: number): JsonSchema | undefined {
  const schema = schemaAt(type, version)
  const stated = schema && probedOutputSchema(schema)
  return stated && withoutAnnotations(stated)
}

const schemaAt = (type: StoredType, version: number): StoredType['schema'] | undefined =>
  version === type.version ? type.schema : type.upcasters[version - 1]?.[0]

/**
 * Whether a schema that was stored before schemas were verified is still stated in the same way.
 */
function isStatedAlike(type: StoredType, { version, schema, isProbed }: StoredSchema): boolean {
  if (isProbed) return false
  const now = schemaAt(type, version)
  const stated = now && jsonSchemaOf(now, 'output')
  return (
    stated !== undefined && JSON.stringify(withoutAnnotations(stated)) === JSON.stringify(schema)
  )
}

/** Whether the schema that the contract writes under is stored already. */
function isSchemaStored({ schemas }: StoredMessage, type: StoredType): boolean {
  const stated = statedSchema(type, type.version) ?? null
  return schemas.some((each) => hasSchema(each, type, stated) && (stated === null || each.isProbed))
}

const hasSchema = (
  { version, schema }: StoredSchema,
  type: StoredType,
  stated: JsonSchema | null,
): boolean => version === type.version && JSON.stringify(schema) === JSON.stringify(stated)

/** A stored message, with the schema that the contract writes under added. */
function addStatedSchema(
  facts: ContractDefinition,
  type: StoredType,
  stored: StoredMessage | undefined,
  now: number,
): StoredMessage {
  const { name, kind, wire, version } = type
  const schema = statedSchema(type, version) ?? null
  const known = stored?.schemas ?? []
  const since = known.find((each) => hasSchema(each, type, schema))?.since ?? now
  const others = known.filter((each) => !hasSchema(each, type, schema))
  const stating = { version, since, schema, ...(schema === null ? {} : { isProbed: true }) }
  const schemas = [...others, stating].toSorted((one, other) => one.version - other.version)
  return { contract: facts.name, name, kind, wire, schemas }
}

/**
 * Checks all contracts of this process against what is stored; changes nothing.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE` with all issues
 */
export async function assertCompatible(engine: EngineContext): Promise<void> {
  await readCompatibleRows(engine)
}

/** The stored rows of all messages known here, once they are compatible. */
async function readCompatibleRows({ backend, plan }: EngineContext): Promise<Rows> {
  const contracts = [...plan.contracts.values()]
  const rows = await readRows(backend.store, contracts)
  const issues = findStoredIssues(contracts, [...rows.values()].map(parseMessage))
  if (issues.length === 0) return rows
  throw new Fault('CONTRACT_INCOMPATIBLE', {
    detail: issues.length === 1 ? 'one change' : `${issues.length} changes`,
    issues: issues.slice(0, LIMITS.issuesMax),
  })
}

/**
 * Stores the schemas that this system writes under, if they are new. If another instance that
 * starts at the same time has stored others, checks everything against those again.
 *
 * @throws Fault `CONTRACT_INCOMPATIBLE`, `STORE_UNKNOWN`
 */
export async function storeSchemas(engine: EngineContext): Promise<void> {
  await retryUntilWritten(engine, 'the schemas of messages were not stored', () =>
    tryToStore(engine),
  )
}

/** One attempt. After a failure, the stored rows are read again. */
async function tryToStore(engine: EngineContext): Promise<boolean> {
  const { backend, plan, clock } = engine
  // Writes expect the rows that were compared, so a concurrent change is a conflict.
  const rows = createWrites(plan.contracts.values(), await readCompatibleRows(engine), clock.now())
  if (rows.length === 0) return true
  return (await writeRows(backend.store, 'a schema', rows)) === 'done'
}

type Rows = ReadonlyMap<string, Row>

/** The stored rows of all messages of these contracts, under all of their wire names. */
async function readRows(store: EventStore, contracts: Iterable<ContractDefinition>): Promise<Rows> {
  const keys = [...contracts].flatMap((facts) =>
    storedTypes(facts).flatMap(({ wire, aliases }) =>
      [wire, ...aliases].map((each) => keyOf(facts.name, each)),
    ),
  )
  const rows = await store.get(keys.map((key) => ({ table: CATALOG_TABLE, key })))
  return new Map(rows.flatMap((row) => (row ? [[row.key, row] as const] : [])))
}

const parseMessage = ({ body }: Pick<Row, 'body'>): StoredMessage =>
  JSON.parse(body) as StoredMessage

function createWrites(
  contracts: Iterable<ContractDefinition>,
  rows: Rows,
  now: number,
): readonly RowWrite[] {
  const writes: RowWrite[] = []
  for (const facts of contracts)
    for (const type of storedTypes(facts)) {
      const key = keyOf(facts.name, type.wire)
      const row = rows.get(key)
      const stored = row && parseMessage(row)
      if (stored && isSchemaStored(stored, type)) continue
      const body = JSON.stringify(addStatedSchema(facts, type, stored, now))
      writes.push(rowWrite({ table: CATALOG_TABLE, key }, row, body))
    }
  return writes.toSorted((one, other) => compareText(one.key, other.key))
}

/** All messages with stored schemas, in order of contract and wire name. */
export async function readStoredMessages(store: EventStore): Promise<readonly StoredMessage[]> {
  const found: StoredMessage[] = []
  for await (const row of catalogRows(store))
    if (row.key.startsWith(PREFIX)) found.push(parseMessage(row))
  return found.toSorted(
    (one, other) => compareText(one.contract, other.contract) || compareText(one.wire, other.wire),
  )
}
