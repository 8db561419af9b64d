export { talking as services } from '../../control/world.ts'
