import { Fault } from '../base/fault.ts'
import { LIMITS } from '../base/limits.ts'
import { commandsTopic } from '../contract/contract.ts'
import { checkMessage } from '../contract/door.ts'
import { encodeHead } from '../contract/envelope.ts'
import type { CommandType, Message } from '../contract/message.ts'
import { partitionOf } from '../contract/partition.ts'
import type { LogEvent } from '../ports/log.ts'
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
      lookAtLag().catch((cause: unknown) => engine.watch.broke('door', cause))
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
    const detail = 'send takes a command of a contract that is running here'
    throw new Fault('MESSAGE_INVALID', { detail, ids })
  }
  if (typeof id !== 'string' || id.length === 0 || id.length > LIMITS.idLengthMax) {
    const message = `must be text of 1 to ${LIMITS.idLengthMax} characters`
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints: [{ path: 'id', message }] })
  }
  const verdict = checkMessage(facts, message)
  if (verdict.is === 'rejected') {
    const { complaints } = verdict
    throw new Fault('MESSAGE_INVALID', { detail: type.wire, complaints, ids })
  }
  const { key, json: data } = verdict.checked
  const at = clock.now()
  const trace = traceparent === undefined ? {} : { traceparent }
  const envelope = { id, type: type.wire, key, at, source: 'door', correlation: id, hops: 0 }
  const topic = commandsTopic(facts.name)
  const partition = partitionOf(key, facts.partitions)
  const head = encodeHead({ ...envelope, ...trace })
  return { event: { topic, partition, id, key, type: type.wire, at, head, data }, command: type }
}
