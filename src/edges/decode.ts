import type { Issue } from '../base/errors/fault.ts'
import { asFault, thrownMessage } from '../base/errors/thrown-error.ts'
import { digest } from '../base/text/digest.ts'
import { shapeIssues } from '../contract/data/shape.ts'
import type { Message } from '../contract/message.ts'
import { invalidKeyReason } from '../contract/message-key.ts'
import { parseWithSchema } from '../contract/schema/parse.ts'
import type { Refusal } from '../rules/effect.ts'
import { recordBody } from './body.ts'
import type { Edge, ReceiveContext, ReceiveRule } from './edge.ts'
import type { Delivery } from './transport.ts'
import type { WireRecord } from './wire-contract.ts'

/** Why a body did not become a message. */
export interface RejectionReason {
  readonly code: string
  readonly message: string
  readonly issues: readonly Issue[]
}

/** A delivery with its record, and the message that it becomes or the reason why there is none. */
export interface DecodedDelivery {
  readonly record: WireRecord
  readonly result: DecodeResult
}

export type DecodeResult =
  | { readonly status: 'message'; readonly message: Message }
  | ({ readonly status: 'rejected' } & RejectionReason)

const RECORD_DIGITS = 32

/** Decodes a delivery. It never throws: whatever user code throws is a reason to reject the body. */
export function decodeDelivery(edge: Edge, delivery: Delivery): DecodedDelivery {
  const { topic, body } = delivery
  const { id, result } = decodeBody(edge, delivery)
  const eventId = id ?? `sha256:${digest(body, RECORD_DIGITS)}`
  const whole = digest(body, 2 * RECORD_DIGITS)
  const record: WireRecord = {
    recordId: `in:${digest(JSON.stringify([topic, eventId, whole]), RECORD_DIGITS)}`,
    eventId,
    direction: 'in',
    topic,
    source: edge.system,
    target: edge.service,
    ...recordBody(body, edge.bodyBytesMax),
  }
  return { record, result }
}

interface DecodedBody {
  /** The id in the other system, if it could be read. */
  readonly id?: string
  readonly result: DecodeResult
}

function decodeBody(edge: Edge, delivery: Delivery): DecodedBody {
  const { body, ...context } = delivery
  if (body.length > edge.bodyBytesMax)
    return rejected('BODY_TOO_LARGE', `has ${body.length} bytes, over ${edge.bodyBytesMax}`)
  let parsed: unknown
  try {
    parsed = edge.format.parse(body)
  } catch (cause) {
    return rejected('BODY_INVALID', thrownMessage(cause))
  }
  // Before any schema sees it: depth and forbidden names of hostile data end here.
  const issues = shapeIssues(parsed)
  if (issues.length > 0) return rejected('BODY_INVALID', 'is no plain data', issues)
  const rules = edge.receives.filter(({ topic }) => topic === delivery.topic)
  try {
    return decodeWithRules(rules, parsed, context)
  } catch (cause) {
    // The only fault here is a schema that cannot be used.
    return rejected(asFault(cause)?.code ?? 'DECODE_FAILED', thrownMessage(cause))
  }
}

/** Takes the first rule whose schema accepts the body. */
function decodeWithRules(
  rules: readonly ReceiveRule[],
  parsed: unknown,
  context: ReceiveContext,
): DecodedBody {
  const issues: Issue[] = []
  for (const rule of rules) {
    const outcome = parseWithSchema(rule.body, rule.becomes.wire, parsed)
    if (outcome.status === 'valid') return decodeWithRule(rule, outcome.value, context)
    issues.push(...outcome.issues)
  }
  return rejected('BODY_INVALID', 'fits no rule of its topic', issues)
}

function decodeWithRule(rule: ReceiveRule, body: unknown, context: ReceiveContext): DecodedBody {
  const id: unknown = rule.id(body as never, context)
  const reason = invalidKeyReason(id)
  if (reason) return rejected('ID_INVALID', `its id ${reason}`)
  return { id: id as string, ...decodeData(rule, body, context) }
}

function decodeData(
  { becomes, decode }: ReceiveRule,
  body: unknown,
  context: ReceiveContext,
): DecodedBody {
  let decoded: unknown
  try {
    decoded = decode(body as never, context)
  } catch (cause) {
    return rejected('DECODE_FAILED', thrownMessage(cause))
  }
  if (!isRefusal(decoded)) return { result: { status: 'message', message: becomes(decoded) } }
  return rejected(decoded.code, 'was refused by its rule', decoded.issues)
}

function isRefusal(decoded: unknown): decoded is Refusal {
  return (decoded as Partial<Refusal> | null | undefined)?.effect === 'refuse'
}

function rejected(code: string, message: string, issues: readonly Issue[] = []): DecodedBody {
  return { result: { status: 'rejected', code, message, issues } }
}
