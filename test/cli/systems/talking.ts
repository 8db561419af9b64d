export { talking as services } from '../../control/talking-services.ts'
