import type { DatabaseSync } from 'node:sqlite'
import { rowChecksum } from './checksums.ts'
import { CONVERSATION_TABLE, createConversationBlocks } from './conversation-blocks.ts'
import { LEDGER_TABLES } from './ledger-schema.ts'
import { insertLedgerSentinels } from './ledger-sentinels.ts'
import { LEDGER_VIEW_SQL } from './ledger-views.ts'
import { writeServiceViews } from './service-views.ts'
import { PROGRESS_TABLE } from './schema.ts'
import { damagedTableFault } from './sqlite-errors.ts'
import type { Statements } from './statements.ts'

const OLD_COLUMNS = 'consumer, topic, part, next, accepted, completed, pending, expired, sum'
const INSERT_PROGRESS = `INSERT INTO progress
  (consumer, topic, part, next, accepted, completed, pending, dead, discarded, expired, sum)`

/** Format 3 counts dead and discarded events, and adds conversations and the tables of the ledger. */
export function fromFormat2(db: DatabaseSync, sql: Statements): void {
  db.exec('ALTER TABLE progress RENAME TO progress_2')
  db.exec(PROGRESS_TABLE)
  const rows = sql.all(`SELECT ${OLD_COLUMNS} FROM progress_2`)
  const values = rows.flatMap((row) => withDeadLetters(row as readonly (string | number)[]))
  sql.insert(INSERT_PROGRESS, '', 11, values)
  db.exec('DROP TABLE progress_2')
  db.exec(CONVERSATION_TABLE)
  addConversations(sql)
  db.exec(LEDGER_TABLES)
  insertLedgerSentinels(sql)
  db.exec(LEDGER_VIEW_SQL)
  writeServiceViews(sql)
}

const SELECT_HEADS = `SELECT position, head FROM log WHERE position > ?
  ORDER BY position LIMIT 1000`

function addConversations(sql: Statements): void {
  const blocks = createConversationBlocks(sql)
  let last = 0
  for (;;) {
    const rows = sql.all(SELECT_HEADS, last) as [number, string][]
    for (const [position, head] of rows) blocks.add(position, head)
    const end = rows.at(-1)
    if (!end) return
    last = end[0]
  }
}

/** @throws Fault `DATA_DAMAGED`, since a new checksum would hide the damage of a row */
function withDeadLetters(row: readonly (string | number)[]): readonly (string | number)[] {
  const old = row.slice(0, -1)
  if (rowChecksum(old) !== row.at(-1))
    throw damagedTableFault('progress', old.slice(0, 3).join('/'))
  const made = [...old.slice(0, 7), 0, 0, ...old.slice(7)]
  return [...made, rowChecksum(made)]
}
