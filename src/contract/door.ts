import type { Complaint } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import type { ContractFacts } from './contract.ts'
import type { Message } from './message.ts'
import { complaintsOfForm, normalForm } from './normal-form.ts'
import { parse } from './parse.ts'
import { complaintsOfShape, MESSAGE_SHAPE } from './shape.ts'

/** Data that passed the door: what its schema made, in normal form, and the one JSON text to be stored. */
export interface Checked {
  readonly data: unknown
  readonly json: string
  readonly key: string
}

export type Verdict =
  | { readonly is: 'passed'; readonly checked: Checked }
  | { readonly is: 'rejected'; readonly complaints: readonly Complaint[] }

/**
 * The one door that every message passes, from users and from rules alike. Shape first (size,
 * depth, forbidden keys, values that JSON cannot keep), so that no schema meets hostile input;
 * then the schema; then the key. A rejection lists all complaints of the step that failed.
 */
export function checkMessage(contract: ContractFacts, message: Message): Verdict {
  const type = contract.byName.get(message.name)
  if (!type || type.kind !== message.kind) {
    const known = [...contract.byName.keys()].join(', ')
    return rejected('', `${contract.name} has no ${message.kind} ${message.name}, only ${known}`)
  }
  const shape = complaintsOfShape(message.data)
  if (shape.length > 0) return { is: 'rejected', complaints: shape }
  const outcome = parse(type.schema, type.wire, message.data)
  if (outcome.is === 'rejected') return outcome
  if (outcome.value === undefined) return rejected('', 'must not be undefined')
  const made = normalForm(outcome.value, MESSAGE_SHAPE)
  // A schema may make what JSON cannot keep, such as a date: it would come back as something else.
  if (!made) return { is: 'rejected', complaints: complaintsOfForm(outcome.value, MESSAGE_SHAPE) }
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

function passed(data: unknown, json: string, key: string): Verdict {
  return { is: 'passed', checked: { data, json, key } }
}

function rejected(path: string, message: string): Verdict {
  return { is: 'rejected', complaints: [{ path, message }] }
}

/** What is wrong with a key or an id, if anything. */
export function flawOfKey(key: unknown): string | undefined {
  if (typeof key !== 'string') return 'must be text'
  if (key.length === 0) return 'must not be empty'
  if (key.length > LIMITS.keyLengthMax) return `must have at most ${LIMITS.keyLengthMax} characters`
  // Control characters and lone surrogates do not survive every backend's text.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(key)) return 'must not contain control characters'
  if (!key.isWellFormed()) return 'must be well-formed Unicode'
  return undefined
}

const encoder = new TextEncoder()

/** Whether a text is longer than `bytesMax` as UTF-8; most are short enough without counting. */
function exceeds(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && encoder.encode(text).length > bytesMax
}
