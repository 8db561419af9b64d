/** Limits of what may pass a door; each has a unit in its name. */
export const LIMITS = {
  /** One message's data as JSON text. */
  dataBytesMax: 1_048_576,
  /** Nesting of objects and lists in one message's data. */
  depthMax: 32,
  /** Values of any kind in one message's data. */
  valuesMax: 200_000,
  /** Complaints that one rejection lists; more are left out. */
  complaintsMax: 100,
  /** Length of one complaint of a refusal, in UTF-16 units. */
  complaintLengthMax: 1_000,
  /** Text and property names in one state or row. */
  rowBytesMax: 16_777_216,
  /** Values of any kind in one state or row. */
  rowValuesMax: 2_000_000,
  /** Length of an event id, in UTF-16 units. */
  idLengthMax: 256,
  /** Length of a message key and of an entity's id, in UTF-16 units. */
  keyLengthMax: 256,
  /** Length of a name of a contract, service, rule, wire type. */
  nameLengthMax: 128,
  /** Messages that one decision of a rule may return. */
  messagesPerDecisionMax: 10_000,
  /** Steps that a conversation may take from its first message, so that rules cannot cycle. */
  hopsMax: 256,
  /** Versions of one message. */
  versionsMax: 100,
  /** Different schemas that one version of a message may have had. */
  schemasPerVersionMax: 1_000,
  /** Partitions of one topic. */
  partitionsMax: 1_024,
} as const
