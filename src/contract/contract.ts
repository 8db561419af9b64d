import type { StandardSchemaV1 } from '@standard-schema/spec'
import { branded } from '../base/copy.ts'
import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { unknownName } from '../base/options.ts'
import { flawOfKey } from './door.ts'
import type {
  CommandSpec,
  CommandType,
  EventSpec,
  EventType,
  Kind,
  MessageType,
  QuerySpec,
  QueryType,
  RefusalType,
  WireName,
} from './message.ts'

type Spec = CommandSpec | EventSpec | QuerySpec
type Out<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/** The data of commands and events must have the key of the contract as a text field. */
type Keyed<F extends string> =
  | {
      readonly kind: 'command' | 'event'
      readonly schema: StandardSchemaV1<unknown, { readonly [K in F]: string }>
    }
  | QuerySpec

/** The message types of one contract, by name. */
export type Types<C extends string, M> = {
  readonly [N in keyof M & string]: M[N] extends CommandSpec<infer S, infer R>
    ? CommandType<C, N, Out<S>, R>
    : M[N] extends QuerySpec<infer S, infer A>
      ? QueryType<C, N, Out<S>, Out<A>> & { readonly answers: A }
      : M[N] extends EventSpec<infer S>
        ? EventType<C, N, Out<S>>
        : never
}

const ABOUT: unique symbol = Symbol('throughline.contract')

/** The definition of a contract, apart from its message types. */
export interface ContractFacts {
  readonly name: string
  readonly key: string
  readonly partitions: number
  /** Retention and compaction of its topics. */
  readonly keeping: Keeping
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
export interface Keeping {
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
  readonly [ABOUT]: ContractFacts
}
export type Contract<C extends string = string, M = unknown> = Types<C, M> & AnyContract

/** The definition of a contract. */
export function factsOf(contract: AnyContract): ContractFacts {
  return contract[ABOUT]
}

/** The contract of each message type. */
const CONTRACTS = new WeakMap<MessageType, ContractFacts>()

/** The facts of a message type's contract; `undefined` for a type that no contract created. */
export function contractOfType(type: MessageType): ContractFacts | undefined {
  return CONTRACTS.get(type)
}

/** Whether a value was created by `contract`. */
export function isContract(value: unknown): value is AnyContract {
  return typeof value === 'object' && value !== null && ABOUT in value
}

const PARTITIONS = 8
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
  M extends Record<string, Keyed<F>>,
>(
  name: C,
  options: { readonly key: F; readonly partitions?: number } & Keeping,
  messages: M,
): Contract<C, M> {
  const { key, partitions = PARTITIONS, retention, compaction } = options
  const keeping: Keeping = { ...(retention && { retention }), ...(compaction && { compaction }) }
  const issues: Complaint[] = []
  const complain = (path: string, message: string): void => void issues.push({ path, message })
  if (!NAME.test(name) || name.length > LIMITS.nameLengthMax)
    complain('name', 'must be lower-case words joined by hyphens')
  if (!key) complain('key', 'must name the field that holds the message key')
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > LIMITS.partitionsMax)
    complain('partitions', `must be a whole number from 1 to ${LIMITS.partitionsMax}`)
  complainOfKeeping(keeping, complain)
  complainOfUnknown(options, complain)
  const types: Record<string, MessageType> = {}
  const byName = new Map<string, MessageType>()
  const byWire = new Map<string, MessageType>()
  const specs = messages as unknown as Readonly<Record<string, Spec>>
  for (const [messageName, spec] of Object.entries(specs)) {
    const flaw = flawOfSpec(messageName, spec)
    if (flaw) {
      complain(messageName, flaw)
      continue
    }
    const type = messageType(name, messageName, spec)
    types[messageName] = type
    for (const each of type.kind === 'command' ? [type, type.refused] : [type]) {
      if (byName.has(each.name)) complain(each.name, 'is the name of two messages')
      byName.set(each.name, each)
      addWires(each, byWire, complain)
    }
  }
  if (issues.length > 0) throw new Fault('CONTRACT_INVALID', { detail: name, complaints: issues })
  const facts: ContractFacts = { name, key, partitions, keeping, byWire, byName }
  for (const type of byName.values()) CONTRACTS.set(type, facts)
  const made = branded(Object.defineProperty(types, ABOUT, { value: facts }))
  return Object.freeze(made) as Contract<C, M>
}

function complainOfKeeping(
  { retention, compaction }: Keeping,
  complain: (path: string, message: string) => void,
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
      complain(path, `must be a whole number from ${min} on`)
}

/** The names of the options, by the path of the option that contains them. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  '': ['key', 'partitions', 'retention', 'compaction'],
  retention: ['commands', 'events'],
  'retention.commands': ['ageMs', 'bytes'],
  'retention.events': ['ageMs', 'bytes'],
  compaction: ['deleteRetentionMs'],
}

function complainOfUnknown(
  given: object,
  complain: (path: string, message: string) => void,
  within = '',
): void {
  for (const [name, value] of Object.entries(given)) {
    const path = within === '' ? name : `${within}.${name}`
    const known = OPTIONS[within] ?? []
    if (!known.includes(name)) complain(path, unknownName(name, known))
    else if (typeof value === 'object' && value !== null) complainOfUnknown(value, complain, path)
  }
}

/** The names of the options of each kind of message. */
const MESSAGE_OPTIONS: Readonly<Record<Spec['kind'], readonly string[]>> = {
  command: ['refuses', 'refusal', 'was', 'wire', 'aliases'],
  event: ['was', 'wire', 'aliases'],
  query: ['answers', 'wire', 'aliases'],
}

function flawOfOptions(spec: Spec): string | undefined {
  const known = MESSAGE_OPTIONS[spec.kind] ?? []
  const names = Object.keys(spec).filter((name) => name !== 'kind' && name !== 'schema')
  const unknown = names.find((name) => !known.includes(name))
  return unknown === undefined ? undefined : `its option ${unknown} ${unknownName(unknown, known)}`
}

function flawOfSpec(name: string, spec: Spec | undefined): string | undefined {
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
  return flawOfOptions(spec) ?? (spec.kind === 'query' ? undefined : flawOfWas(spec.was))
}

/** In JavaScript, any value may be given. */
function flawOfWas(was: unknown): string | undefined {
  if (!Array.isArray(was) || was.length >= LIMITS.versionsMax)
    return `its upcasters must be a list of fewer than ${LIMITS.versionsMax}`
  for (const [at, pair] of was.entries()) {
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

function addWires(
  type: MessageType,
  byWire: Map<string, MessageType>,
  complain: (path: string, message: string) => void,
): void {
  for (const wire of [type.wire, ...type.aliases]) {
    if (byWire.has(wire)) complain(type.name, `its wire name ${wire} is used by another message`)
    if (wire.length === 0 || wire.length > LIMITS.nameLengthMax)
      complain(type.name, `its wire name must have 1 to ${LIMITS.nameLengthMax} characters`)
    else if (flawOfKey(wire)) complain(type.name, `its wire name ${flawOfKey(wire)}`)
    byWire.set(wire, type)
  }
}

function messageType(contract: string, name: string, spec: Spec): MessageType {
  const type = typeOf(contract, name, spec.kind, spec, spec)
  if (spec.kind === 'event') return type as unknown as EventType
  if (spec.kind === 'query')
    return Object.assign(type, { answers: spec.answers }) as unknown as QueryType
  // A refusal contains the refused command, so both have the same versions.
  const refused = typeOf(contract, `${name}Refused`, 'refusal', spec, spec.refusal)
  return Object.assign(type, {
    refuses: spec.refuses,
    refused: refused as unknown as RefusalType,
  }) as unknown as CommandType
}

function typeOf(contract: string, name: string, kind: Kind, spec: Spec, names: WireName): object {
  const was = spec.kind === 'query' ? [] : spec.was
  const make = (data: unknown) => Object.freeze({ contract, name, kind, data })
  Object.defineProperty(make, 'name', { value: name })
  return Object.assign(branded(make), {
    contract,
    kind,
    schema: spec.schema,
    version: was.length + 1,
    was,
    wire: names.wire ?? `${contract}.${name}`,
    aliases: names.aliases ?? [],
  })
}

export const commandsTopic = (contract: string): string => `${contract}.commands`
export const eventsTopic = (contract: string): string => `${contract}.events`
export const repliesTopic = (service: string): string => `${service}.replies`
