/** Metadata of an external message beside its body, by lower-case names. */
export type Headers = Readonly<Record<string, string>>

/** A message of an external topic. */
export interface ExternalMessage {
  readonly body: Uint8Array
  /** What the broker orders or routes by, where it has such a thing. */
  readonly key?: string
  readonly headers?: Headers
}

/** A message that a transport has received. */
export interface Delivery extends ExternalMessage {
  readonly topic: string
}

/** Messages that were received together, and their acknowledgement. */
export interface DeliveryBatch {
  /** In the order of each topic, as far as the broker keeps one. */
  readonly deliveries: readonly Delivery[]
  /**
   * Tells the broker that every message of the batch is stored. If it rejects, or is never called, the
   * messages are delivered again.
   */
  ack(): Promise<void>
}

/** What to receive. */
export interface ReceiveRequest {
  /** Who receives: each group gets every message, and the members of a group share them. */
  readonly group: string
  /** The same ones in every call of a group. */
  readonly topics: readonly string[]
  /** The largest batch. One message is delivered even if it is larger. */
  readonly limits: { readonly messages: number; readonly bytes: number }
  readonly signal: AbortSignal
}

/**
 * A connection to a message broker that other systems use, too. Deliveries and publications happen at
 * least once; what is delivered twice takes effect once because of its id.
 */
export interface Transport {
  /** Connects. May be called again after it has rejected, and after `close`. Idempotent. */
  open(): Promise<void>
  /** Disconnects, and takes unacknowledged deliveries back. Idempotent. */
  close(): Promise<void>
  /**
   * Resolves once the broker has stored the message as durably as it ever will. Messages with one key
   * that are published one after another keep their order. Rejects if the broker did not answer in time
   * or is not connected; the message is then published again, with the same `message-id` header.
   */
  publish(
    topic: string,
    message: ExternalMessage,
    options?: { readonly signal?: AbortSignal },
  ): Promise<void>
  /**
   * Waits for at least one message. Gives an empty batch once the signal aborts, or if it has waited for
   * as long as the broker allows. Each call of a group follows the `ack` of its batch before; without
   * that `ack`, it gives the same messages again, or waits until the broker does.
   */
  receive(request: ReceiveRequest): Promise<DeliveryBatch>
}
