import { STATUSES, STATUS_CHANGES } from '../../../ports/status.ts'

const quoted = (text: string): string => `'${text}'`

const CHANGES = STATUS_CHANGES.map((pair) => `(${pair.map(quoted).join(', ')})`).join(', ')
const FIRST = STATUS_CHANGES.filter(([from]) => from === 'UNPROCESSED')
  .map(([, to]) => quoted(to))
  .join(', ')

/** A settled event may begin again, and change in no other way. */
export const STATUS_CHANGES_TRIGGER = `
CREATE TRIGGER status_changes BEFORE UPDATE OF status ON status
WHEN CASE WHEN old.status = 'COMPLETED' OR old.resolution IS NOT NULL
  THEN new.status NOT IN (${FIRST})
  ELSE (old.status, new.status) NOT IN (VALUES ${CHANGES}) END
BEGIN SELECT RAISE(ABORT, 'the status of an event does not change like this'); END;`

/**
 * The tables of the ledger. `status` has a row for each event whose status differs from what the
 * progress of its consumer says; `position` is that of its record, 0 where there is none. Triggers
 * refuse a change that `STATUS_CHANGES` does not have, whoever makes it. The indexes of open and of
 * settled statuses leave out the others, so that a million completed events slow down no list.
 */
export const LEDGER_TABLES = `
CREATE TABLE status (
  consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, off INTEGER NOT NULL,
  id TEXT NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN (${STATUSES.map(quoted).join(', ')})),
  attempts INTEGER NOT NULL, due REAL, code TEXT, error TEXT, cause TEXT,
  resolution TEXT CHECK (resolution IS NULL OR resolution = 'DISCARDED'), detail TEXT,
  updated_by TEXT NOT NULL, updated REAL NOT NULL, position INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic, part, off)
) STRICT, WITHOUT ROWID;
CREATE INDEX status_event ON status (id);
CREATE INDEX status_open ON status (status, consumer, topic, part, off)
  WHERE status <> 'COMPLETED' AND resolution IS NULL;
CREATE INDEX status_newest ON status (status, position, consumer)
  WHERE status <> 'COMPLETED' AND resolution IS NULL;
CREATE INDEX status_discarded ON status (consumer, topic, part, off)
  WHERE resolution IS NOT NULL;
CREATE INDEX status_discarded_newest ON status (position) WHERE resolution IS NOT NULL;
CREATE INDEX status_settled ON status (updated)
  WHERE status = 'COMPLETED' OR resolution IS NOT NULL;
CREATE TRIGGER status_begins AFTER INSERT ON status WHEN new.status NOT IN (${FIRST})
BEGIN SELECT RAISE(ABORT, 'this is no first status of an event'); END;
${STATUS_CHANGES_TRIGGER}
CREATE TABLE progress_range (
  consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, from_off INTEGER NOT NULL,
  passed_by TEXT NOT NULL, since REAL NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (consumer, topic, part, from_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE subscription (
  owner TEXT NOT NULL, consumer TEXT NOT NULL, service TEXT NOT NULL, topic TEXT NOT NULL,
  type TEXT NOT NULL, is_response INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (owner, consumer, topic, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX subscription_type ON subscription (topic, type);
`
