// Runs the background tasks: retention, compaction, pruning and the scan for damage.
export { runDamageScan } from './damage-scan.ts'
export { runUpkeep } from './upkeep.ts'
