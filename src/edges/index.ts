export type { BodyFormat, RecordedBody } from './body.ts'
export type {
  Edge,
  EdgeOptions,
  PublishOn,
  PublishOptions,
  PublishRule,
  ReceiveContext,
  ReceiveOn,
  ReceiveOptions,
  ReceiveRule,
} from './edge.ts'
export { edge } from './edge.ts'
export type { BrokerMessage, InProcessBroker, InProcessTransportOptions } from './in-process.ts'
export { inProcess } from './in-process.ts'
export type {
  Delivery,
  DeliveryBatch,
  ExternalMessage,
  Headers,
  ReceiveRequest,
  Transport,
} from './transport.ts'
export type {
  RejectedRecord,
  WireContract,
  WireRecord,
  WireTopicSettings,
} from './wire-contract.ts'
