// The tables of format 2, as the migration from format 1 makes them. They never change.

export const TABLES_OF_FORMAT_2 = `
CREATE TABLE topic (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL,
  strategy TEXT NOT NULL, settings TEXT NOT NULL
) STRICT;
CREATE TABLE head (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, first INTEGER NOT NULL, next INTEGER NOT NULL,
  base INTEGER NOT NULL, chain INTEGER NOT NULL, stored INTEGER NOT NULL, sum INTEGER NOT NULL,
  PRIMARY KEY (topic, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
  position INTEGER PRIMARY KEY, topic INTEGER NOT NULL, part INTEGER NOT NULL,
  off INTEGER NOT NULL, id ANY NOT NULL, key TEXT NOT NULL, type TEXT NOT NULL,
  at INTEGER NOT NULL, stored INTEGER NOT NULL, sum INTEGER NOT NULL, chain INTEGER NOT NULL,
  head TEXT NOT NULL, data TEXT, gone TEXT
) STRICT;
CREATE UNIQUE INDEX log_place ON log (topic, part, off);
CREATE UNIQUE INDEX log_id ON log (topic, id) WHERE typeof(id) = 'blob';
CREATE UNIQUE INDEX log_foreign_id ON log (topic, id) WHERE typeof(id) = 'text';
CREATE TRIGGER log_is_immutable BEFORE UPDATE ON log WHEN NOT (
  new.position IS old.position AND new.topic IS old.topic AND new.part IS old.part AND
  new.off IS old.off AND new.id IS old.id AND new.key IS old.key AND new.type IS old.type AND
  new.at IS old.at AND new.stored IS old.stored AND new.sum IS old.sum AND
  new.chain IS old.chain AND old.gone IS NULL AND new.gone IS NOT NULL AND new.data IS NULL AND
  new.head = ''
) BEGIN SELECT RAISE(ABORT, 'the log is immutable: only the body of a record may go'); END;
CREATE TRIGGER log_stays BEFORE DELETE ON log
WHEN old.off >= (SELECT first FROM head WHERE topic = old.topic AND part = old.part)
BEGIN SELECT RAISE(ABORT, 'the log is immutable: only trimming removes records'); END;
CREATE TABLE damage (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, from_off INTEGER NOT NULL,
  to_off INTEGER NOT NULL, what TEXT NOT NULL, found INTEGER NOT NULL,
  is_accepted INTEGER NOT NULL, PRIMARY KEY (topic, part, from_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE archive (
  topic INTEGER NOT NULL, part INTEGER NOT NULL, from_off INTEGER NOT NULL,
  to_off INTEGER NOT NULL, file TEXT NOT NULL, at_byte INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sha BLOB NOT NULL, records INTEGER NOT NULL, PRIMARY KEY (topic, part, from_off)
) STRICT, WITHOUT ROWID;
CREATE TABLE progress (
  consumer TEXT NOT NULL, topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL,
  accepted INTEGER NOT NULL, completed INTEGER NOT NULL, pending INTEGER NOT NULL,
  expired INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (consumer, topic, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE stream (
  tbl INTEGER NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, position INTEGER NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY (tbl, key, version)
) STRICT, WITHOUT ROWID;
`
