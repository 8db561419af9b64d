// Another module starts a system for it.
export { services } from './starting.ts'
