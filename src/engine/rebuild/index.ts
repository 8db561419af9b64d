// Rebuilds the rows of projections beside the live rows, and swaps them in.
export type { RebuildOptions, RebuildProgress, RebuildResult, Rebuilder } from './rebuilder.ts'
export { createRebuilder } from './rebuilder.ts'
