// Runs the background tasks: retention, compaction, pruning and the scan for damage.
export { runDamageScan } from './damage-scan.ts'
export { runPruning } from './pruning.ts'
export { runRetention } from './retention.ts'
