// Repairs damaged data directories, and salvages what can still be read.
export type { AcceptedDamage, Loss, RepairResult } from './repair.ts'
export { repair } from './repair.ts'
export type { SalvagedItem, Unreadable } from './salvage.ts'
export { salvage } from './salvage.ts'
