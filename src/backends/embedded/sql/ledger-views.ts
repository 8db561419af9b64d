import {
  LEDGER_COLUMNS,
  LEDGER_VIEWS,
  REPLIES_SUFFIX,
  WIRE_RECORD_TYPES,
} from '../../../ports/ledger.ts'
import { PAYLOAD_COLUMNS } from '../../../ports/payloads.ts'

const time = (ms: string): string =>
  `strftime('%Y-%m-%dT%H:%M:%fZ', round(${ms}) / 1000.0, 'unixepoch')`

/** An id as text: ids that are UUIDs of version 7 are stored as their bytes. */
const idText = (id: string): string => {
  const part = (from: number, length: number): string => `substr(hex(${id}), ${from}, ${length})`
  const parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)]
  return `CASE typeof(${id}) WHEN 'text' THEN ${id} ELSE lower(${parts.join(" || '-' || ")}) END`
}

/** Whether the key of a record waits at a consumer from this record or an earlier one on. */
const IS_ON_PAGE = `EXISTS (SELECT 1 FROM held_page
    WHERE held_page.hold = s.consumer || ':' || log.key AND held_page.topic = topic.name
      AND held_page.off <= log.off)`

/** A member of a head; none where the payload was archived or compacted. */
const inHead = (member: string): string =>
  `CASE WHEN json_valid(log.head) THEN json_extract(log.head, '$.${member}') END`

const IS_REPLY = `substr(topic.name, -${REPLIES_SUFFIX.length}) = '${REPLIES_SUFFIX}'`

/** Whether a row of `held_event` is about a consumer. */
const isHeldBy = (consumer: string): string =>
  `substr(held_event.hold, 1, length(${consumer}) + 1) = ${consumer} || ':'`

const RANGE = `FROM progress_range r WHERE r.consumer = s.consumer AND r.topic = s.topic
    AND r.part = log.part AND r.from_off <= log.off ORDER BY r.from_off DESC LIMIT 1`

/** Joins each record with the consumers that read it. The order of the joins keeps that of the log. */
const EVENTS = `log CROSS JOIN topic ON topic.id = log.topic
  CROSS JOIN subscription s ON s.topic = topic.name AND s.type = log.type
  LEFT JOIN status st ON st.consumer = s.consumer AND st.topic = s.topic AND st.part = log.part
    AND st.off = log.off
  LEFT JOIN progress p ON p.consumer = s.consumer AND p.topic = s.topic AND p.part = log.part`

// The sign keeps the type of the column from hiding the index of an expression.
const PASSED = `(p.next > log.off AND NOT EXISTS (SELECT 1 FROM held_event
    WHERE held_event.position = +log.position AND ${isHeldBy('s.consumer')})
  AND NOT ${IS_ON_PAGE})`

const SOURCE = inHead('source')

/** The rows of all three views, with the columns that the store needs to find them. */
const LEDGER_EVENT = `
CREATE VIEW ledger_event AS SELECT
  log.position AS position, log.key AS key,
  CASE WHEN s.is_response = 1 OR ${IS_REPLY} THEN 'response'
    WHEN coalesce(${inHead('hops')}, 0) = 0 THEN 'inbound' ELSE 'request' END AS view_name,
  ${idText('log.id')} AS EVENT_ID,
  log.type AS MESSAGE_TYPE, log.type AS SERVICE_MESSAGE_TYPE,
  CASE WHEN st.status IS NOT NULL THEN st.status
    WHEN ${PASSED} THEN 'COMPLETED' ELSE 'UNPROCESSED' END AS STATUS,
  ${SOURCE} AS CREATED_BY, ${time('log.at')} AS CREATED_DTTM,
  CASE WHEN st.status IS NOT NULL THEN st.updated_by
    WHEN ${PASSED} THEN coalesce((SELECT r.passed_by ${RANGE}), s.service)
    ELSE ${SOURCE} END AS UPDATED_BY,
  CASE WHEN st.status IS NOT NULL THEN ${time('st.updated')}
    WHEN ${PASSED} THEN ${time(`coalesce(max((SELECT r.since ${RANGE}), log.at), log.at)`)}
    ELSE ${time('log.at')} END AS UPDATED_DTTM,
  s.consumer AS consumer, coalesce(st.attempts, 0) AS attempts, ${time('st.due')} AS due,
  st.error AS error, st.resolution AS resolution,
  topic.name AS topic, log.part AS "partition", log.off AS "offset"
FROM ${EVENTS};`

const quote = (name: string): string => `"${name}"`

const viewOf = (name: string): string => `
CREATE VIEW ${name} AS SELECT ${LEDGER_COLUMNS.map(quote).join(', ')}
FROM ledger_event WHERE view_name = '${name}' ORDER BY position DESC, consumer;`

const { received: RECEIVED, sent: SENT } = WIRE_RECORD_TYPES

/** A member of the body that an edge has recorded. */
const onWire = (member: string): string =>
  `CASE WHEN json_valid(log.data) THEN json_extract(log.data, '$.${member}') END`

/** The rows of the view `payload`, with the positions that the store finds them by. */
const PAYLOAD_ROW = `
CREATE VIEW payload_row AS
SELECT log.position AS position, ${idText('log.id')} AS EVENT_ID, topic.name AS TOPIC,
  ${SOURCE} AS SOURCE_SERVICE, target.service AS TARGET_SERVICE, log.data AS PAYLOAD,
  ${SOURCE} AS CREATED_BY, ${time('log.at')} AS CREATED_DTTM
FROM log CROSS JOIN topic ON topic.id = log.topic
  LEFT JOIN (SELECT DISTINCT topic, type, service FROM subscription WHERE consumer > '') target
    ON target.topic = topic.name AND target.type = log.type
WHERE log.type NOT IN ('${RECEIVED}', '${SENT}')
UNION ALL
SELECT log.position, ${onWire('eventId')}, ${onWire('topic')}, ${onWire('source')},
  ${onWire('target')}, ${onWire('body')},
  CASE log.type WHEN '${RECEIVED}' THEN ${onWire('target')} ELSE ${onWire('source')} END,
  ${time('log.at')}
FROM log WHERE log.type IN ('${RECEIVED}', '${SENT}');`

/**
 * One row for each event in its topic and each service that reads it, and one for each body that came in
 * or went out at an edge. PAYLOAD is the data as it was sent; it is null for a tombstone, and where it was
 * archived or compacted.
 */
const PAYLOAD = `
CREATE VIEW payload AS SELECT ${PAYLOAD_COLUMNS.join(', ')} FROM payload_row
ORDER BY position DESC;`

/** Events that a consumer has not completed, found without a look at those that it has. */
const OPEN_EVENT = `
CREATE VIEW open_event AS
SELECT log.position AS position, s.consumer AS consumer, s.service AS service
FROM subscription s CROSS JOIN topic ON topic.name = s.topic
  CROSS JOIN head ON head.topic = topic.id
  LEFT JOIN progress p ON p.consumer = s.consumer AND p.topic = s.topic AND p.part = head.part
  CROSS JOIN log ON log.topic = topic.id AND log.part = head.part
    AND log.off >= coalesce(p.next, 0) AND log.type = s.type
UNION
SELECT log.position, s.consumer, s.service FROM held_event
  CROSS JOIN log ON log.position = held_event.position
  CROSS JOIN topic ON topic.id = log.topic
  CROSS JOIN subscription s ON s.topic = topic.name AND s.type = log.type
WHERE ${isHeldBy('s.consumer')}
UNION
SELECT log.position, s.consumer, s.service FROM (SELECT min(position) AS first FROM held_page)
  CROSS JOIN log ON log.position >= first
  CROSS JOIN topic ON topic.id = log.topic
  CROSS JOIN subscription s ON s.topic = topic.name AND s.type = log.type
WHERE ${IS_ON_PAGE}
UNION
SELECT st.position, s.consumer, s.service FROM status st
  CROSS JOIN subscription s ON s.topic = st.topic AND s.type = st.type AND s.consumer = st.consumer
WHERE st.status <> 'COMPLETED' AND st.resolution IS NULL AND st.position > 0;`

/**
 * The state that services keep while exchanges are open: instances of sagas, commands from outside
 * without a result, and replies that their senders have not read.
 */
const WORKING_DATA = `
CREATE VIEW working_data AS
SELECT 'saga' AS kind, service, key, operation, ${time('since')} AS since, body FROM saga_instance
UNION ALL
SELECT CASE WHEN ${IS_REPLY} THEN 'reply' ELSE 'operation' END, open_event.service, log.key,
  CASE WHEN ${IS_REPLY} THEN ${inHead('correlation')} ELSE e.EVENT_ID END, e.CREATED_DTTM, log.data
FROM open_event CROSS JOIN log ON log.position = open_event.position
  CROSS JOIN topic ON topic.id = log.topic
  CROSS JOIN ledger_event e ON e.position = log.position AND e.consumer = open_event.consumer
WHERE e.STATUS <> 'COMPLETED' AND e.resolution IS NULL
  AND (${IS_REPLY} OR (e.view_name = 'inbound' AND substr(topic.name, -9) = '.commands'));`

/** Views that do not depend on the tables of services. */
const VIEWS: Readonly<Record<string, string>> = {
  ledger_event: LEDGER_EVENT,
  ...Object.fromEntries(LEDGER_VIEWS.map((name) => [name, viewOf(name)])),
  payload_row: PAYLOAD_ROW,
  payload: PAYLOAD,
  open_event: OPEN_EVENT,
  working_data: WORKING_DATA,
}
export const LEDGER_VIEW_NAMES = Object.keys(VIEWS)
export const LEDGER_VIEW_SQL = Object.values(VIEWS).join('')
