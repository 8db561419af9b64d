/** Limits of what the file door takes in; each has its unit in its name or beside it. */
export const INTAKE_LIMITS = {
  /** Length of an invoice number, product code, customer id and country, in UTF-16 units. */
  idLengthMax: 64,
  /** Length of one row, also where a quoted text joins several lines, in UTF-16 units. */
  rowLengthMax: 65_536,
  /** Pieces on one line of an order or a return. */
  quantityMax: 10_000_000,
  /** Price of one piece, in pence. */
  unitPriceCentsMax: 100_000_000,
  /** Worth of a whole order, in pence: below 2^53, so that a sum stays exact. */
  orderTotalCentsMax: 9_000_000_000_000_000,
  /** Lines of one order or return. */
  linesPerInvoiceMax: 5_000,
  /** Complaints that one refused invoice lists; all of them are counted. */
  complaintsMax: 100,
  /** Unpacked text of one file, in bytes: an intake holds its whole file. */
  textBytesMax: 268_435_456,
} as const
