// Options of the engine that there are not.
export { talking as services } from '../../control/world.ts'
export const engine = { unitRecordMax: 16 }
