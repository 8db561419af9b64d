// Reads partitions under leases, runs batches through the rules, and commits them as units.
export { createOrderedReader } from './ordered-reader.ts'
export { createProcessor } from './processor.ts'
export { slicesBefore } from './slices-before.ts'
