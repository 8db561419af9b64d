// Derives from services what runs: consumers, subscriptions, topics, tables and the names they are
// stored under.
export type { Catalog, CatalogRule, CatalogService } from './catalog.ts'
export {
  CATALOG_TABLE,
  catalogRows,
  consumerName,
  createCatalog,
  findRuleName,
  readCatalog,
  storeCatalog,
} from './catalog.ts'
export type { ChangedSource } from './changed-source.ts'
export { changedSourceText, createChangedSource } from './changed-source.ts'
export type { EntityFold, EntityRow } from './entity-fold.ts'
export { createEntityFold } from './entity-fold.ts'
export { ledgerSubscriptions } from './ledger-subscriptions.ts'
export type {
  Consumer,
  ConsumerGroup,
  ConsumerRule,
  Evolver,
  Plan,
  ProjectionPlan,
  ServicePlan,
  ServiceTables,
  Subscription,
  Subscriptions,
} from './plan.ts'
export {
  REPLY_TYPES,
  collectContracts,
  controlTable,
  createPlan,
  serviceTables,
  subscribingRules,
  tableOf,
} from './plan.ts'
export type { ProjectionState, RebuildStep, ShadowState } from './projection-state.ts'
export {
  REBUILD_STEPS,
  hasOtherSource,
  hasSameRows,
  isSameDefinition,
  nextProjectionState,
} from './projection-state.ts'
export { codeFingerprint } from './rule-fingerprint.ts'
export { startFromIssue, startOffset } from './start-from.ts'
export type { KnownNames, NamedInCode, StoredNames } from './stored-names.ts'
export { assignIds, isStoredTwice } from './stored-names.ts'
