import type { Cancel } from '../base/time/clock.ts'
import { Fault } from '../base/errors/fault.ts'
import { resolveOptions } from '../base/options.ts'
import type {
  Delivery,
  DeliveryBatch,
  ExternalMessage,
  ReceiveRequest,
  Transport,
} from './transport.ts'

/** A message of the in-process broker, with its body as text. */
export interface BrokerMessage extends Delivery {
  readonly text: string
}

/** A message broker in this process: the transport of an edge, and what external systems use. */
export interface InProcessBroker extends Transport {
  /**
   * Publishes a message; a body may be given as text.
   *
   * @throws Fault `BACKPRESSURE` if the topic is full of messages that a group has not acknowledged
   */
  publish(topic: string, message: ExternalMessage | string): Promise<void>
  /** Calls `listener` for each retained and each later message of a topic, in order. */
  subscribe(topic: string, listener: (message: BrokerMessage) => void): Cancel
  /** The retained messages of a topic, oldest first. */
  messages(topic: string): readonly BrokerMessage[]
  /** Resolves once a group has received from the topic, and every group has acknowledged all of it. */
  whenAcked(topic: string): Promise<void>
}

const IN_PROCESS_OPTIONS = {
  /** Messages that a topic retains; the oldest ones are dropped once every group has acknowledged them. */
  topicMessagesMax: { default: 10_000, min: 1, max: 1_000_000 },
} as const

/** Options of `inProcess`. */
export interface InProcessTransportOptions {
  /** Messages that a topic retains. Default 10,000. */
  readonly topicMessagesMax?: number
}

interface Topic {
  readonly messages: BrokerMessage[]
  /** The offset of the first retained message. */
  first: number
  /** The next offset of each group that has ever received from the topic. */
  readonly next: Map<string, number>
  readonly listeners: Set<(message: BrokerMessage) => void>
}

/**
 * A broker in memory, for tests, examples, and external systems in the same process. It keeps what a
 * broker promises until the process ends: order in each topic, delivery at least once to each group,
 * and positions that survive a restart of the app. Several apps may share one.
 *
 * @throws Fault `OPTION_INVALID`
 */
export function inProcess(given: InProcessTransportOptions = {}): InProcessBroker {
  const { topicMessagesMax } = resolveOptions('inProcess', IN_PROCESS_OPTIONS, given)
  const topics = new Map<string, Topic>()
  const waiting = new Set<() => void>()

  const topicOf = (name: string): Topic => {
    const found = topics.get(name)
    if (found) return found
    const made: Topic = { messages: [], first: 0, next: new Map(), listeners: new Set() }
    topics.set(name, made)
    return made
  }
  /** Lets everybody who waits look again. */
  const notify = (): void => {
    for (const wake of waiting) wake()
  }
  /** Resolves with the next publication or acknowledgement, or once the signal aborts. */
  const changed = (signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const wake = (): void => {
        waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      waiting.add(wake)
      signal?.addEventListener('abort', wake)
    })
  const isAcked = ({ first, messages, next }: Topic): boolean =>
    next.size > 0 && [...next.values()].every((offset) => offset >= first + messages.length)

  return {
    open: async () => undefined,
    close: async () => undefined,
    async publish(name, given) {
      const topic = topicOf(name)
      if (topic.messages.length >= topicMessagesMax) dropOldest(name, topic)
      const message = brokerMessage(name, given)
      topic.messages.push(message)
      for (const listener of topic.listeners) callLater(listener, message)
      notify()
    },
    async receive(request) {
      for (const name of request.topics) joinGroup(topicOf(name), request.group)
      while (!request.signal.aborted) {
        const batch = takeBatch(request, topicOf, notify)
        if (batch) return batch
        await changed(request.signal)
      }
      return { deliveries: [], ack: async () => undefined }
    },
    subscribe(name, listener) {
      const topic = topicOf(name)
      for (const message of topic.messages) callLater(listener, message)
      topic.listeners.add(listener)
      return () => void topic.listeners.delete(listener)
    },
    messages: (name) => [...topicOf(name).messages],
    async whenAcked(name) {
      while (!isAcked(topicOf(name))) await changed()
    },
  }
}

function brokerMessage(topic: string, given: ExternalMessage | string): BrokerMessage {
  const message = typeof given === 'string' ? { body: new TextEncoder().encode(given) } : given
  return { ...message, topic, text: new TextDecoder().decode(message.body) }
}

/** A listener never runs inside `publish`, and what it throws does not concern the publisher. */
function callLater(listener: (message: BrokerMessage) => void, message: BrokerMessage): void {
  queueMicrotask(() => listener(message))
}

function joinGroup(topic: Topic, group: string): void {
  if (!topic.next.has(group)) topic.next.set(group, topic.first)
}

function dropOldest(name: string, topic: Topic): void {
  const slow = [...topic.next].find(([, next]) => next <= topic.first)
  if (slow)
    throw new Fault('BACKPRESSURE', {
      detail: `${name} is full: ${slow[0]} has not acknowledged its ${topic.messages.length} messages`,
    })
  topic.messages.shift()
  topic.first += 1
}

/** The messages after the position of the group, which moves when they are acknowledged. */
function takeBatch(
  { group, topics, limits }: ReceiveRequest,
  topicOf: (name: string) => Topic,
  notify: () => void,
): DeliveryBatch | undefined {
  const deliveries: Delivery[] = []
  const ends = new Map<Topic, number>()
  let bytes = 0
  for (const name of topics) {
    const topic = topicOf(name)
    const from = Math.max(topic.next.get(group) ?? 0, topic.first)
    for (const [at, message] of topic.messages.slice(from - topic.first).entries()) {
      bytes += message.body.length
      const isFull = deliveries.length >= limits.messages || bytes > limits.bytes
      if (isFull && deliveries.length > 0) break
      deliveries.push(message)
      ends.set(topic, from + at + 1)
    }
  }
  if (deliveries.length === 0) return undefined
  return {
    deliveries,
    async ack() {
      for (const [topic, end] of ends)
        topic.next.set(group, Math.max(topic.next.get(group) ?? 0, end))
      notify()
    },
  }
}
