// Measures delays and ages by a clock that wall-clock steps do not change.
export type { DelayClock } from './delay-clock.ts'
export { CLOCK_TABLE, INSTANT_MAX, SKEW_MS, createDelayClock } from './delay-clock.ts'
export type { DelayFilter } from './delay-filter.ts'
export { DELAY_STEP_MS, createDelayFilter } from './delay-filter.ts'
export type { OffsetHistory } from './offset-history.ts'
export { createOffsetHistory } from './offset-history.ts'
