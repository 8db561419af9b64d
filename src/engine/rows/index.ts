// Keeps rows in memory with their staged changes, and commits units that change nothing but rows.
export type { CachedRow, Refold, RowCache, UnitDraft } from './row-cache.ts'
export {
  ROW_SHAPE,
  compareRowKeys,
  createCachedRow,
  createDraft,
  createRowCache,
  createWrites,
  rowBytes,
} from './row-cache.ts'
export { scanPages } from './scan-pages.ts'
export { rowWrite, updateRow, writeRows } from './write-rows.ts'
