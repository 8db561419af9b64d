import type { StandardSchemaV1 } from '@standard-schema/spec'
import { brand } from '../base/package-copy.ts'
import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { unknownNameMessage } from '../base/options.ts'
import type {
  CommandSpec,
  CommandType,
  EventSpec,
  EventType,
  MessageKind,
  MessageType,
  QuerySpec,
  QueryType,
  RefusalType,
  WireName,
} from './message.ts'
import { invalidKeyReason } from './message-key.ts'

type Spec = CommandSpec | EventSpec | QuerySpec
type Out<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/** The data of commands and events must have the key of the contract as a text field. */
type KeyedSpec<F extends string> =
  | {
      readonly kind: 'command' | 'event'
      readonly schema: StandardSchemaV1<unknown, { readonly [K in F]: string }>
    }
  | QuerySpec

/** The message types of one contract, by name. */
export type MessageTypes<C extends string, M> = {
  readonly [N in keyof M & string]: M[N] extends CommandSpec<infer S, infer R>
    ? CommandType<C, N, Out<S>, R>
    : M[N] extends QuerySpec<infer S, infer A>
      ? QueryType<C, N, Out<S>, Out<A>> & { readonly answers: A }
      : M[N] extends EventSpec<infer S>
        ? EventType<C, N, Out<S>>
        : never
}

const DEFINITION: unique symbol = Symbol('throughline.contract')

/** The definition of a contract, apart from its message types. */
export interface ContractDefinition {
  readonly name: string
  readonly key: string
  readonly partitions: number
  /** Retention and compaction of its topics. */
  readonly topicSettings: TopicSettings
  /** Message types by wire name and alias, refusals included. */
  readonly byWire: ReadonlyMap<string, MessageType>
  /** Message types by name, refusals included. */
  readonly byName: ReadonlyMap<string, MessageType>
}

/** The retention of a topic; a member that is absent sets no limit. */
export interface Retention {
  /** The age after which a record may be deleted. */
  readonly ageMs?: number
  /** The size of a partition, as JSON text, above which its oldest records may be deleted. */
  readonly bytes?: number
}

/** Retention and compaction of the topics of a contract. By default everything is kept for ever. */
export interface TopicSettings {
  readonly retention?: {
    readonly commands?: Retention
    /** Events and refusals. */
    readonly events?: Retention
  }
  /**
   * Keeps only the newest record of each key in the events topic, whatever its type; a tombstone is
   * deleted `deleteRetentionMs` after it was stored.
   */
  readonly compaction?: { readonly deleteRetentionMs: number }
}

/** Any contract: the messages of one bounded context. */
export interface AnyContract {
  readonly [DEFINITION]: ContractDefinition
}
export type Contract<C extends string = string, M = unknown> = MessageTypes<C, M> & AnyContract

/** The definition of a contract. */
export function definitionOf(contract: AnyContract): ContractDefinition {
  return contract[DEFINITION]
}

/** The contract of each message type. */
const CONTRACTS = new WeakMap<MessageType, ContractDefinition>()

/** The facts of a message type's contract; `undefined` for a type that no contract created. */
export function contractOfType(type: MessageType): ContractDefinition | undefined {
  return CONTRACTS.get(type)
}

/** Whether a value was created by `contract`. */
export function isContract(value: unknown): value is AnyContract {
  return typeof value === 'object' && value !== null && DEFINITION in value
}

const PARTITIONS_DEFAULT = 8
const NAME = /^[a-z][a-z0-9-]*$/
const MESSAGE_NAME = /^[A-Za-z][A-Za-z0-9]*$/

/**
 * Declares a contract. `key` names the field that holds the message key: messages of one key go to one
 * partition and keep their order. `partitions` (default 8, 1 to 1,024), `retention` and `compaction`
 * (default: everything is kept for ever) are fixed for the life of the topics.
 *
 * @throws Fault `CONTRACT_INVALID`, with all issues
 */
export function contract<
  const C extends string,
  const F extends string,
  M extends Record<string, KeyedSpec<F>>,
>(
  name: C,
  options: { readonly key: F; readonly partitions?: number } & TopicSettings,
  messages: M,
): Contract<C, M> {
  const { key, partitions = PARTITIONS_DEFAULT, retention, compaction } = options
  const keeping: TopicSettings = {
    ...(retention && { retention }),
    ...(compaction && { compaction }),
  }
  const issues: Issue[] = []
  const addIssue = (path: string, message: string): void => void issues.push({ path, message })
  if (!NAME.test(name) || name.length > LIMITS.nameLengthMax)
    addIssue('name', 'must be lower-case words joined by hyphens')
  if (!key) addIssue('key', 'must name the field that holds the message key')
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > LIMITS.partitionsMax)
    addIssue('partitions', `must be a whole number from 1 to ${LIMITS.partitionsMax}`)
  checkTopicSettings(keeping, addIssue)
  checkOptionNames(options, addIssue)
  const types: Record<string, MessageType> = {}
  const byName = new Map<string, MessageType>()
  const byWire = new Map<string, MessageType>()
  const specs = messages as unknown as Readonly<Record<string, Spec>>
  for (const [messageName, spec] of Object.entries(specs)) {
    const reason = invalidSpecReason(messageName, spec)
    if (reason) {
      addIssue(messageName, reason)
      continue
    }
    const type = messageTypeOf(name, messageName, spec)
    types[messageName] = type
    for (const each of type.kind === 'command' ? [type, type.refused] : [type]) {
      if (byName.has(each.name)) addIssue(each.name, 'is the name of two messages')
      byName.set(each.name, each)
      addWireNames(each, byWire, addIssue)
    }
  }
  if (issues.length > 0) throw new Fault('CONTRACT_INVALID', { detail: name, issues: issues })
  const definition: ContractDefinition = {
    name,
    key,
    partitions,
    topicSettings: keeping,
    byWire,
    byName,
  }
  for (const type of byName.values()) CONTRACTS.set(type, definition)
  const made = brand(Object.defineProperty(types, DEFINITION, { value: definition }))
  return Object.freeze(made) as Contract<C, M>
}

function checkTopicSettings(
  { retention, compaction }: TopicSettings,
  addIssue: (path: string, message: string) => void,
): void {
  const bounds: readonly (readonly [path: string, value: number | undefined, min: number])[] = [
    ['retention.commands.ageMs', retention?.commands?.ageMs, 1],
    ['retention.commands.bytes', retention?.commands?.bytes, 1],
    ['retention.events.ageMs', retention?.events?.ageMs, 1],
    ['retention.events.bytes', retention?.events?.bytes, 1],
    ['compaction.deleteRetentionMs', compaction?.deleteRetentionMs, 0],
  ]
  for (const [path, value, min] of bounds)
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= min))
      addIssue(path, `must be a whole number from ${min} on`)
}

/** The names of the options, by the path of the option that contains them. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  '': ['key', 'partitions', 'retention', 'compaction'],
  retention: ['commands', 'events'],
  'retention.commands': ['ageMs', 'bytes'],
  'retention.events': ['ageMs', 'bytes'],
  compaction: ['deleteRetentionMs'],
}

function checkOptionNames(
  given: object,
  addIssue: (path: string, message: string) => void,
  within = '',
): void {
  for (const [name, value] of Object.entries(given)) {
    const path = within === '' ? name : `${within}.${name}`
    const known = OPTIONS[within] ?? []
    if (!known.includes(name)) addIssue(path, unknownNameMessage(name, known))
    else if (typeof value === 'object' && value !== null) checkOptionNames(value, addIssue, path)
  }
}

/** The names of the options of each kind of message. */
const MESSAGE_OPTIONS: Readonly<Record<Spec['kind'], readonly string[]>> = {
  command: ['refuses', 'refusal', 'upcasters', 'wire', 'aliases'],
  event: ['upcasters', 'wire', 'aliases'],
  query: ['answers', 'wire', 'aliases'],
}

function unknownOptionReason(spec: Spec): string | undefined {
  const known = MESSAGE_OPTIONS[spec.kind] ?? []
  const names = Object.keys(spec).filter((name) => name !== 'kind' && name !== 'schema')
  const unknown = names.find((name) => !known.includes(name))
  return unknown === undefined
    ? undefined
    : `its option ${unknown} ${unknownNameMessage(unknown, known)}`
}

function invalidSpecReason(name: string, spec: Spec | undefined): string | undefined {
  if (!MESSAGE_NAME.test(name) || name.length > LIMITS.nameLengthMax)
    return `must be a name: letters and digits, up to ${LIMITS.nameLengthMax}`
  // An object with a `then` method would be treated as a promise.
  if (name === 'then') return 'must have another name'
  if (!isSchema(spec?.schema))
    return 'has no schema: it must be a Standard Schema, such as one of zod'
  if (spec?.kind === 'command' && !spec.refuses.every(isCode))
    return `its refusal codes must be text of 1 to ${LIMITS.nameLengthMax} characters`
  if (spec?.kind === 'query' && !isSchema(spec.answers)) return 'has no schema for its answer'
  if (spec === undefined) return undefined
  return (
    unknownOptionReason(spec) ??
    (spec.kind === 'query' ? undefined : invalidUpcastersReason(spec.upcasters))
  )
}

/** In JavaScript, any value may be given. */
function invalidUpcastersReason(upcasters: unknown): string | undefined {
  if (!Array.isArray(upcasters) || upcasters.length >= LIMITS.versionsMax)
    return `its upcasters must be a list of fewer than ${LIMITS.versionsMax}`
  for (const [at, pair] of upcasters.entries()) {
    const [schema, up] = Array.isArray(pair) ? (pair as readonly unknown[]) : []
    if (!isSchema(schema) || typeof up !== 'function')
      return `version ${at + 1} of its upcasters must be a schema and a function: [schema, upcast]`
  }
  return undefined
}

function isCode(code: unknown): boolean {
  return typeof code === 'string' && code.length > 0 && code.length <= LIMITS.nameLengthMax
}

/** Whether a value is a Standard Schema: an object or, in some libraries, a function. */
function isSchema(value: unknown): boolean {
  const standard = (value as Partial<StandardSchemaV1> | null | undefined)?.['~standard']
  return typeof standard?.validate === 'function'
}

function addWireNames(
  type: MessageType,
  byWire: Map<string, MessageType>,
  addIssue: (path: string, message: string) => void,
): void {
  for (const wire of [type.wire, ...type.aliases]) {
    if (byWire.has(wire)) addIssue(type.name, `its wire name ${wire} is used by another message`)
    if (wire.length === 0 || wire.length > LIMITS.nameLengthMax)
      addIssue(type.name, `its wire name must have 1 to ${LIMITS.nameLengthMax} characters`)
    else if (invalidKeyReason(wire)) addIssue(type.name, `its wire name ${invalidKeyReason(wire)}`)
    byWire.set(wire, type)
  }
}

function messageTypeOf(contract: string, name: string, spec: Spec): MessageType {
  const type = createMessageType(contract, name, spec.kind, spec, spec)
  if (spec.kind === 'event') return type as unknown as EventType
  if (spec.kind === 'query')
    return Object.assign(type, { answers: spec.answers }) as unknown as QueryType
  // A refusal contains the refused command, so both have the same versions.
  const refused = createMessageType(contract, `${name}Refused`, 'refusal', spec, spec.refusal)
  return Object.assign(type, {
    refuses: spec.refuses,
    refused: refused as unknown as RefusalType,
  }) as unknown as CommandType
}

function createMessageType(
  contract: string,
  name: string,
  kind: MessageKind,
  spec: Spec,
  names: WireName,
): object {
  const upcasters = spec.kind === 'query' ? [] : spec.upcasters
  const make = (data: unknown) => Object.freeze({ contract, name, kind, data })
  Object.defineProperty(make, 'name', { value: name })
  return Object.assign(brand(make), {
    contract,
    kind,
    schema: spec.schema,
    version: upcasters.length + 1,
    upcasters,
    wire: names.wire ?? `${contract}.${name}`,
    aliases: names.aliases ?? [],
  })
}

export const commandsTopic = (contract: string): string => `${contract}.commands`
export const eventsTopic = (contract: string): string => `${contract}.events`
export const repliesTopic = (service: string): string => `${service}.replies`
