// Runs the background tasks: retention, compaction and the scan for damage.
export { runDamageScan } from './damage-scan.ts'
export { runRetention } from './retention.ts'
