// Answers operators: status, health, alarms, unsettled work and rewinds of consumers.
export { createDeadLetterAlarms, createHeldKeyAlarms } from './alarms.ts'
export type { ConsumerPosition, ConsumerStatus } from './consumer-status.ts'
export { readConsumerStatus, readPositions, readWaitedMs } from './consumer-status.ts'
export type { GroupAssignment, HealthReport } from './health.ts'
export { checkHealth } from './health.ts'
export type { RewindRequest, RewindScope, RewindTarget, RewoundPartition } from './rewind.ts'
export { rewind } from './rewind.ts'
export { isSettled, readUnsettled, unsettledText, waitUntilSettled } from './unsettled.ts'
