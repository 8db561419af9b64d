import type { DatabaseSync } from 'node:sqlite'
import { STATUS_CHANGES_TRIGGER } from './ledger-schema.ts'
import { LEDGER_VIEW_NAMES, LEDGER_VIEW_SQL } from './ledger-views.ts'
import { writeServiceViews } from './service-views.ts'
import type { Statements } from './statements.ts'

/** Format 4 lets settled statuses begin again, and has pages of held events, which the views know. */
export function fromFormat3(db: DatabaseSync, sql: Statements): void {
  db.exec('DROP TRIGGER status_changes')
  db.exec(STATUS_CHANGES_TRIGGER)
  for (const name of LEDGER_VIEW_NAMES) db.exec(`DROP VIEW IF EXISTS ${name}`)
  writeServiceViews(sql)
  db.exec(LEDGER_VIEW_SQL)
}
