// Commits many changes in one transaction and one sync, and checkpoints the write-ahead log beside
// them.
export type { Checkpointer } from './checkpointer.ts'
export { createCheckpointer } from './checkpointer.ts'
export { createCommitSeal } from './commit-seal.ts'
export type { Decision, GroupCommit, GroupCommitOptions } from './group-commit.ts'
export { commitOrThrow, createGroupCommit, createReadOnlyCommit } from './group-commit.ts'
