// Opens a data directory for the log and the store, and implements both ports over it.
export type { Connection } from './connection.ts'
export {
  openConnection,
  ownerMode,
  readOnlyMode,
  repairMode,
  shareConnection,
} from './connection.ts'
export { createEmbeddedLog } from './embedded-log.ts'
export { createEmbeddedStore } from './embedded-store.ts'
