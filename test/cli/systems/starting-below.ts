// Imports a module that starts a system.
export { services } from './starting.ts'
