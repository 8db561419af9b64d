import type { EventView } from '../../admin/wire.ts'

/** Whether an event says that something was refused, was undone, or neither. */
export function kindOf({ type }: Pick<EventView, 'type'>): 'refused' | 'undone' | 'plain' {
  if (/(_ERROR|Refused|Rejected|Failed|Declined)$/.test(type)) return 'refused'
  return /(ROLLBACK|ROLL_BACK|RollBack|RolledBack|Cancelled)/.test(type) ? 'undone' : 'plain'
}
