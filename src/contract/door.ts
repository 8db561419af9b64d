import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from './contract.ts'
import type { Message, MessageType } from './message.ts'
import { complaintsOfForm, normalForm } from './normal-form.ts'
import { parse } from './parse.ts'
import { complaintsOfShape, foreignIn, MESSAGE_SHAPE } from './shape.ts'

/** Validated data: the output of its schema in normal form, and the JSON text to store. */
export interface Checked {
  readonly data: unknown
  readonly json: string
  readonly key: string
}

export type Verdict =
  | { readonly is: 'passed'; readonly checked: Checked }
  | { readonly is: 'rejected'; readonly complaints: readonly Complaint[] }

/**
 * Validates and encodes a message; every message of users and rules passes here. First the shape (size,
 * depth, forbidden keys, values that JSON cannot hold), so that no schema sees hostile input; then the
 * schema; then the key. An invalid message has all issues of the step that failed.
 *
 * @throws Fault `SCHEMA_INVALID`
 */
export function checkMessage(contract: ContractFacts, message: Message): Verdict {
  const type = typeIn(contract, message)
  if (!type) return unknownMessage(contract, message)
  const shape = complaintsOfShape(message.data)
  if (shape.length > 0) return { is: 'rejected', complaints: shape }
  const outcome = parse(type.schema, type.wire, message.data)
  if (outcome.is === 'rejected') return outcome
  return checkMade(contract, type, outcome.value)
}

/**
 * The same for data that was validated before it was stored: the schema is not run again, since it may
 * transform its input.
 *
 * @throws Fault `SCHEMA_INVALID`
 */
export function checkKept(contract: ContractFacts, message: Message): Verdict {
  const type = typeIn(contract, message)
  return type ? checkMade(contract, type, message.data) : unknownMessage(contract, message)
}

/** Encodes the output of a schema, which must be JSON data with a valid key. */
function checkMade(contract: ContractFacts, type: MessageType, value: unknown): Verdict {
  if (value === undefined) return rejected('', 'must not be undefined')
  const made = normalForm(value, MESSAGE_SHAPE)
  if (!made) return notPlain(type, value)
  const data = made.value
  const json = JSON.stringify(data)
  if (exceeds(json, LIMITS.dataBytesMax))
    return rejected('', `must be at most ${LIMITS.dataBytesMax} bytes as JSON`)
  if (type.kind === 'query') return passed(data, json, '')
  const key = (data as Record<string, unknown> | null)?.[contract.key]
  const flaw = flawOfKey(key)
  if (flaw) return rejected(contract.key, flaw)
  return passed(data, json, key as string)
}

/** A size over the limit is an issue of the data; values that JSON does not have are a fault of the schema. */
function notPlain(type: MessageType, value: unknown): Verdict {
  const complaints = complaintsOfForm(value, MESSAGE_SHAPE)
  const foreign = foreignIn(value)
  if (!foreign) return { is: 'rejected', complaints }
  throw new Fault('SCHEMA_INVALID', { detail: type.wire, complaints: [foreign] })
}

function typeIn({ byName }: ContractFacts, { name, kind }: Message): MessageType | undefined {
  const type = byName.get(name)
  return type?.kind === kind ? type : undefined
}

function unknownMessage({ name, byName }: ContractFacts, message: Message): Verdict {
  const known = [...byName.keys()].join(', ')
  return rejected('', `${name} has no ${message.kind} ${message.name} (known: ${known})`)
}

function passed(data: unknown, json: string, key: string): Verdict {
  return { is: 'passed', checked: { data, json, key } }
}

function rejected(path: string, message: string): Verdict {
  return { is: 'rejected', complaints: [{ path, message }] }
}

/** Why a key or an id is invalid, if it is. */
export function flawOfKey(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'must be text'
  if (key.length === 0) return 'must not be empty'
  if (key.length > LIMITS.keyLengthMax) return `must have at most ${LIMITS.keyLengthMax} characters`
  // Not every backend can store control characters and lone surrogates.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'must not contain control characters'
  if (!key.isWellFormed()) return 'must be well-formed Unicode'
  return undefined
}

const encoder = new TextEncoder()

/** Whether a text is longer than `bytesMax` as UTF-8; short texts are not encoded to find out. */
function exceeds(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && encoder.encode(text).length > bytesMax
}
