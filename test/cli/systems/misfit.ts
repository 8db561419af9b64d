// A module with an unknown engine option.
export { talking as services } from '../../control/talking-services.ts'
export const engine = { unitRecordMax: 16 }
