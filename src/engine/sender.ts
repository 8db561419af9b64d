import type { Complaint } from '../base/fault.ts'
import { Fault } from '../base/fault.ts'
import { commandsTopic } from '../contract/contract.ts'
import { checkMessage, flawOfKey } from '../contract/door.ts'
import { encodeHead } from '../contract/envelope.ts'
import type { CommandType, Message } from '../contract/message.ts'
import { partitionOf } from '../contract/partition.ts'
import type { LogEvent } from '../ports/log.ts'
import { complaintsOfIds } from './named.ts'
import type { EngineTools } from './tools.ts'
import { appendQueue } from './queue.ts'
import { statusOf } from './status.ts'

export interface SendOptions {
  /** The message's id: sent again with the same one, it takes effect once. Default: a new id. */
  readonly id?: string
  /** W3C trace context to hand on. */
  readonly traceparent?: string
}

/** A command that the log has taken. */
export interface SentCommand {
  readonly id: string
  readonly command: CommandType
  /** The log had it already, from an earlier call with this id. */
  readonly isRepeat: boolean
}

/** The door for commands from outside. */
export interface Sender {
  send(message: Message, options: SendOptions): Promise<SentCommand>
  /** Takes nothing new; resolves when what it took has been answered. */
  close(): Promise<void>
}

const LAG_CHECK_MS = 1_000

/** W3C Trace Context, with room for what later versions put behind it. */
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-~]{0,200})?$/

export function sender(engine: EngineTools): Sender {
  const { clock, options, mint } = engine
  const queue = appendQueue(engine)
  let isClosed = false
  let lagCheckedAt = -Infinity
  let lagging: string | undefined

  /** Looks at most once a second how far the consumers are behind. */
  async function lookAtLag(): Promise<void> {
    lagCheckedAt = clock.elapsed()
    const worst = (await statusOf(engine)).toSorted((a, b) => b.lag - a.lag)[0]
    const isOver = worst !== undefined && worst.lag > options.lagEventsMax
    lagging = isOver ? `${worst.consumer} is ${worst.lag} events behind` : undefined
  }

  /** Never waits, so that no call can be overtaken by a later one. */
  function mustKeepUp(): void {
    if (clock.elapsed() - lagCheckedAt >= LAG_CHECK_MS)
      lookAtLag().then(
        () => engine.watch.mended('door'),
        (cause: unknown) => engine.watch.broke('door', cause),
      )
    if (lagging) throw new Fault('BACKPRESSURE', { detail: lagging })
  }

  return {
    async send(message, { id = mint(), traceparent }) {
      if (isClosed) throw new Fault('APP_STOPPING', { detail: 'send', ids: { id } })
      const { event, command } = eventOf(engine, message, id, traceparent)
      mustKeepUp()
      const isRepeat = await queue.add(event)
      return { id, command, isRepeat }
    },
    async close() {
      isClosed = true
      await queue.drained()
    },
  }
}

function eventOf(
  { plan, clock }: EngineTools,
  message: Message,
  id: string,
  traceparent: string | undefined,
): { event: LogEvent; command: CommandType } {
  const ids = { id }
  const facts = plan.contracts.get(message?.contract)
  const type = facts?.byName.get(message.name)
  if (!facts || type?.kind !== 'command') {
    const { contract, name, kind } = (message ?? {}) as Partial<Message>
    const detail = facts
      ? `${contract}.${name} is of the kind ${kind}, and send takes a command`
      : `the contract ${contract} is not known here: start its owner, or name it in elsewhere`
    throw new Fault('MESSAGE_INVALID', { detail })
  }
  const complaints: Complaint[] = []
  const flaw = flawOfKey(id)
  if (flaw) complaints.push({ path: 'id', message: flaw })
  if (traceparent !== undefined && !TRACEPARENT.test(traceparent))
    complaints.push({ path: 'traceparent', message: 'must be a W3C traceparent' })
  if (complaints.length > 0) throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints })
  const verdict = checkMessage(facts, message)
  if (verdict.is === 'rejected')
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints: verdict.complaints, ids })
  const misnamed = complaintsOfIds(plan, type, verdict.checked.data)
  if (misnamed.length > 0)
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints: misnamed, ids })
  const { key, json: data } = verdict.checked
  const at = clock.now()
  const trace = traceparent === undefined ? {} : { traceparent }
  const envelope = { id, type: type.wire, key, at, source: 'door', correlation: id, hops: 0 }
  const topic = commandsTopic(facts.name)
  const partition = partitionOf(key, facts.partitions)
  const head = encodeHead({ ...envelope, ...trace })
  return { event: { topic, partition, id, key, type: type.wire, at, head, data }, command: type }
}
