import type { Issue } from '../base/errors/fault.ts'
import { Fault } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractDefinition } from './contract.ts'
import type { Message, MessageType } from './message.ts'
import { normalFormIssues, toNormalForm } from './data/normal-form.ts'
import { parseWithSchema } from './schema/parse.ts'
import { shapeIssues, findNonJsonValue, MESSAGE_SHAPE_LIMITS } from './data/shape.ts'
import { invalidKeyReason } from './message-key.ts'

/** Validated data: the output of its schema in normal form, and the JSON text to store. */
export interface EncodedMessage {
  readonly data: unknown
  readonly json: string
  readonly key: string
}

export type ValidationResult =
  | { readonly status: 'valid'; readonly message: EncodedMessage }
  | { readonly status: 'invalid'; readonly issues: readonly Issue[] }

/**
 * Validates and encodes a message; every message of users and rules passes here. First the shape (size,
 * depth, forbidden keys, values that JSON cannot hold), so that no schema sees hostile input; then the
 * schema; then the key. An invalid message has all issues of the step that failed.
 *
 * @throws Fault `SCHEMA_INVALID`
 */
export function validateMessage(contract: ContractDefinition, message: Message): ValidationResult {
  const type = declaredType(contract, message)
  if (!type) return unknownMessage(contract, message)
  const shape = shapeIssues(message.data)
  if (shape.length > 0) return { status: 'invalid', issues: shape }
  const outcome = parseWithSchema(type.schema, type.wire, message.data)
  if (outcome.status === 'invalid') return outcome
  return encodeMessage(contract, type, outcome.value)
}

/**
 * The same for data that was validated before it was stored: the schema is not run again, since it may
 * transform its input.
 *
 * @throws Fault `SCHEMA_INVALID`
 */
export function encodeParsedMessage(
  contract: ContractDefinition,
  message: Message,
): ValidationResult {
  const type = declaredType(contract, message)
  return type ? encodeMessage(contract, type, message.data) : unknownMessage(contract, message)
}

/** Encodes the output of a schema, which must be JSON data with a valid key. */
function encodeMessage(
  contract: ContractDefinition,
  type: MessageType,
  value: unknown,
): ValidationResult {
  if (value === undefined) return invalid('', 'must not be undefined')
  const made = toNormalForm(value, MESSAGE_SHAPE_LIMITS)
  if (!made) return invalidData(type, value)
  const data = made.value
  const json = JSON.stringify(data)
  if (isLongerThan(json, LIMITS.dataBytesMax))
    return invalid('', `must be at most ${LIMITS.dataBytesMax} bytes as JSON`)
  if (type.kind === 'query') return valid(data, json, '')
  const key = (data as Record<string, unknown> | null)?.[contract.key]
  const reason = invalidKeyReason(key)
  if (reason) return invalid(contract.key, reason)
  return valid(data, json, key as string)
}

/** A size over the limit is an issue of the data; values that JSON does not have are a fault of the schema. */
function invalidData(type: MessageType, value: unknown): ValidationResult {
  const issues = normalFormIssues(value, MESSAGE_SHAPE_LIMITS)
  const foreign = findNonJsonValue(value)
  if (!foreign) return { status: 'invalid', issues }
  throw new Fault('SCHEMA_INVALID', { detail: type.wire, issues: [foreign] })
}

function declaredType(
  { byName }: ContractDefinition,
  { name, kind }: Message,
): MessageType | undefined {
  const type = byName.get(name)
  return type?.kind === kind ? type : undefined
}

function unknownMessage({ name, byName }: ContractDefinition, message: Message): ValidationResult {
  const known = [...byName.keys()].join(', ')
  return invalid('', `${name} has no ${message.kind} ${message.name} (known: ${known})`)
}

function valid(data: unknown, json: string, key: string): ValidationResult {
  return { status: 'valid', message: { data, json, key } }
}

function invalid(path: string, message: string): ValidationResult {
  return { status: 'invalid', issues: [{ path, message }] }
}

const encoder = new TextEncoder()

/** Whether a text is longer than `bytesMax` as UTF-8; short texts are not encoded to find out. */
function isLongerThan(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && encoder.encode(text).length > bytesMax
}
