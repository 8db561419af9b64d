import type { FaultCode } from '../base/errors/fault.ts'
import { Fault, FAULTS } from '../base/errors/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { yieldToEventLoop } from '../base/time/clock.ts'
import { digest } from '../base/text/digest.ts'
import type { Message } from '../contract/message.ts'
import type { BackOff } from './back-off.ts'
import type { RejectionReason } from './decode.ts'
import { decodeDelivery } from './decode.ts'
import type { EdgeAppendResult, EdgeHost } from './edge-host.ts'
import type { Edge } from './edge.ts'
import type { Delivery, Transport } from './transport.ts'
import type { RejectedRecord, WireRecord } from './wire-contract.ts'

/** What an edge has received since the app started. */
export interface EdgeCounts {
  /** Bodies that are stored: the sum of the other three. A redelivery counts again. */
  received: number
  /** Bodies whose message was new. */
  accepted: number
  /** Bodies whose message was stored before. */
  repeated: number
  /** Bodies that could not become a message. They are in the record of the edge. */
  rejected: number
}

/** What the receiver of one edge works with. */
export interface ReceiverContext {
  readonly edge: Edge
  readonly transport: Transport
  readonly host: EdgeHost
  readonly counts: EdgeCounts
  readonly backOff: BackOff
  readonly signal: AbortSignal
}

/** One message to append for a delivery. */
interface Outgoing {
  readonly id: string
  readonly message: Message
  readonly kind: 'record' | 'message' | 'rejection'
  readonly record: WireRecord
}

type NotStored = Exclude<EdgeAppendResult, { readonly status: 'stored' }>
type Refused = Extract<EdgeAppendResult, { readonly status: 'refused' }>

/** The largest batch, so that an edge holds a bounded number of messages. */
const BATCH = { messages: 100, bytes: 1_048_576 } as const

/**
 * Receives one batch: decodes, appends and acknowledges it. What could not be stored is appended again,
 * with the same ids, until every message of the batch is stored or finally refused. So nothing overtakes,
 * and back-pressure reaches the broker.
 */
export async function receiveBatch(context: ReceiverContext): Promise<void> {
  const { edge, transport, host, counts, signal } = context
  const topics = [...new Set(edge.receives.map(({ topic }) => topic))]
  const batch = await transport.receive({ group: edge.name, topics, limits: BATCH, signal })
  // A transport may give up waiting after a while; other work goes on then.
  if (batch.deliveries.length === 0) return yieldToEventLoop(host.clock)
  let left = batch.deliveries.flatMap((delivery) => outgoingOf(edge, delivery))
  while (left.length > 0) {
    if (signal.aborted) return
    left = await appendOnce(context, left)
  }
  counts.received += batch.deliveries.length
  await batch.ack()
}

/** The record of a delivery, then its message or the reason why it has none. */
function outgoingOf(edge: Edge, delivery: Delivery): readonly Outgoing[] {
  const { record, result } = decodeDelivery(edge, delivery)
  const { recordId: id, eventId } = record
  const recorded: Outgoing = { id, message: edge.wire.Received(record), kind: 'record', record }
  return result.status === 'rejected'
    ? [recorded, rejectionOf(edge, record, result)]
    : [recorded, { id: eventId, message: result.message, kind: 'message', record }]
}

/** Appends what is left of a batch, and returns what is still left after that, in the same order. */
async function appendOnce(
  context: ReceiverContext,
  outgoing: readonly Outgoing[],
): Promise<Outgoing[]> {
  const { edge, backOff } = context
  const results = await tryAppend(context, outgoing)
  const left: Outgoing[] = []
  let hasMoved = false
  let cause: unknown
  for (const [at, result] of results.entries()) {
    const each = outgoing[at] as Outgoing
    if (isStored(each, result)) {
      count(context, each, result.status !== 'stored' || result.isDuplicate)
      hasMoved = true
    } else if (each.kind === 'message' && isFinal(result as NotStored)) {
      left.push(rejectionOf(edge, each.record, reasonOf(result as Refused)))
      hasMoved = true
    } else {
      left.push(each)
      cause ??= causeOf(result as NotStored)
    }
  }
  // What waited behind something that is settled now can be stored at once.
  if (hasMoved) backOff.succeeded()
  else await backOff.failed(cause)
  return left
}

/** A call that throws, such as for back-pressure, has stored nothing. */
async function tryAppend(
  { host }: ReceiverContext,
  outgoing: readonly Outgoing[],
): Promise<readonly EdgeAppendResult[]> {
  const ids = outgoing.map(({ id }) => id)
  try {
    const messages = outgoing.map(({ message }) => message)
    return await host.append(messages, { ids })
  } catch (cause) {
    return ids.map(() => ({ status: 'unknown', cause }))
  }
}

/**
 * The id of a record follows from its body. So under a known id it is that record, even if the edge has
 * renamed its system or states its reason in other words since then.
 */
function isStored({ kind }: Outgoing, result: EdgeAppendResult): boolean {
  if (result.status === 'stored') return true
  return kind !== 'message' && result.status === 'refused' && result.code === 'ID_CONFLICT'
}

function count(
  { edge, host, counts }: ReceiverContext,
  { kind, message }: Outgoing,
  isDuplicate: boolean,
): void {
  if (kind === 'record') return
  if (kind === 'message') counts[isDuplicate ? 'repeated' : 'accepted'] += 1
  else {
    counts.rejected += 1
    if (!isDuplicate) host.onRejected(edge.name, message.data as RejectedRecord)
  }
}

/** Whether a later attempt cannot succeed. Codes of the log that are no faults are final. */
function isFinal(result: NotStored): boolean {
  if (result.status === 'unknown') return false
  const { code } = result
  return !Object.hasOwn(FAULTS, code) || !FAULTS[code as FaultCode].retryable
}

function reasonOf({ code, detail, issues = [] }: Refused): RejectionReason {
  return { code, message: detail, issues }
}

function causeOf(result: NotStored): unknown {
  if (result.status === 'unknown') return result.cause
  const { code, detail } = result
  return Object.hasOwn(FAULTS, code)
    ? new Fault(code as FaultCode, { detail })
    : new Error(`${code}: ${detail}`)
}

const ISSUES_MAX = 20
const cut = (text: string): string => text.slice(0, LIMITS.issueLengthMax)

/** One body may be rejected again, for another reason, after a change of code. */
function rejectionOf(edge: Edge, record: WireRecord, reason: RejectionReason): Outgoing {
  const { recordId, eventId, topic, source } = record
  const code = reason.code.slice(0, LIMITS.nameLengthMax)
  const issues = reason.issues.slice(0, ISSUES_MAX).map(({ path, message }) => {
    return { path: cut(path), message: cut(message) }
  })
  const message = cut(reason.message)
  const rejected: RejectedRecord = { recordId, eventId, topic, source, code, message, issues }
  const id = `${recordId}:${digest(code)}`
  return { id, message: edge.wire.Rejected(rejected), kind: 'rejection', record }
}
