/** Limits of messages, rows and contracts; each has its unit in its name. */
export const LIMITS = {
  /** One message's data as JSON text. */
  dataBytesMax: 1_048_576,
  /** Nesting of objects and arrays in one message's data. */
  depthMax: 32,
  /** Values of any kind in one message's data. */
  valuesMax: 200_000,
  /** Issues that one fault lists; further ones are left out. */
  issuesMax: 100,
  /** Length of one issue of a refusal, in UTF-16 units. */
  issueLengthMax: 1_000,
  /** Text and property names in one entity state, saga state or row. */
  rowBytesMax: 16_777_216,
  /** Values of any kind in one entity state, saga state or row. */
  rowValuesMax: 2_000_000,
  /** Length of an event id, in UTF-16 units. */
  idLengthMax: 256,
  /** Length of a message key and of an entity's id, in UTF-16 units. */
  keyLengthMax: 256,
  /** Length of the name of a contract, service, rule or wire type. */
  nameLengthMax: 128,
  /** Messages that one call of a rule may return. */
  messagesPerDecisionMax: 10_000,
  /** Hops from the first message of a conversation, so that rules cannot send in a cycle. */
  hopsMax: 256,
  /** Versions of one message. */
  versionsMax: 100,
  /** Different schemas that one version of a message may have had over time. */
  schemasPerVersionMax: 1_000,
  /** Partitions of one topic. */
  partitionsMax: 1_024,
} as const
