// Checks contracts, schemas and consumers against what is stored, before anything runs.
export type { StoredMessage } from './compatibility.ts'
export {
  assertCompatible,
  findStoredIssues,
  findStoredWarnings,
  readStoredMessages,
  storeSchemas,
} from './compatibility.ts'
export type { StoredIdentity } from './identity.ts'
export { readIdentities, resolveStoredNames } from './identity.ts'
export { assertKnownConsumers, registerConsumers } from './register-consumers.ts'
export { assertUsableSchemas, findSchemaIssues } from './schema-checks.ts'
