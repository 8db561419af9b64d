// Calls handlers: in order by key, as a queue, or in worker threads.
export { callHandler } from './call-handler.ts'
export type { KeyLanesParts } from './key-lanes.ts'
export { createKeyLanes } from './key-lanes.ts'
export type { QueueSlots } from './queue-slots.ts'
export { createQueueSlots } from './queue-slots.ts'
export type { Threads } from './threads.ts'
export { threadsOf } from './threads.ts'
