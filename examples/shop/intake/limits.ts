/** Limits of imported invoices; each has its unit in its name or comment. */
export const INTAKE_LIMITS = {
  /** Length of an invoice number, product code, customer id and country, in UTF-16 units. */
  idLengthMax: 64,
  /** Length of one row, including quoted text of several lines, in UTF-16 units. */
  rowLengthMax: 65_536,
  /** Pieces on one line of an order or a return. */
  quantityMax: 10_000_000,
  /** Price of one piece, in pence. */
  unitPriceCentsMax: 100_000_000,
  /** Value of a whole order, in pence: below 2^53, so that sums stay exact. */
  orderTotalCentsMax: 9_000_000_000_000_000,
  /** Lines of one order or return. */
  linesPerInvoiceMax: 5_000,
  /** Complaints that a rejected invoice lists; all of them are counted. */
  complaintsMax: 100,
  /** Uncompressed text of one file, in bytes: an import holds the whole file in memory. */
  textBytesMax: 268_435_456,
} as const
