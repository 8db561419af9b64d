// Runs the background tasks: retention, compaction, pruning and the scan for damage.
export { runDamageScan } from './damage-scan.ts'
export { runMaintenance } from './run-maintenance.ts'
