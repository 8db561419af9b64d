// Lists held keys, open sagas, operations and timers, page by page.
export { heldKeys, heldUnder, holdsContaining } from './held-keys.ts'
export type {
  Alarm,
  AlarmKind,
  ErrorView,
  EventLocation,
  HeldKey,
  HeldKeysOptions,
  ListOptions,
  ListPage,
  OpenSaga,
  OperationEntry,
  OperationKind,
  OperationStateView,
  OperationsOptions,
  SagasOptions,
  TimerEntry,
  TimersOptions,
  UnsettledWork,
  WaitsFor,
} from './list-types.ts'
export type { Span } from './newest-first.ts'
export { newestFirst } from './newest-first.ts'
export {
  conversationWaits,
  instancesOfOperation,
  isSaga,
  openInstances,
  openSagas,
} from './open-sagas.ts'
export type { OperationDetails } from './operation-list.ts'
export { findUnheardEvents, listOperations, readOperation } from './operation-list.ts'
export type { ListSource, ListedRule } from './paging.ts'
export {
  LIST_LIMIT,
  SEARCH_MS_MAX,
  findRules,
  listOptionFault,
  toWallTime,
  validateLimit,
} from './paging.ts'
export { listTimers } from './timer-list.ts'
