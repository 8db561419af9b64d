import { checkLine, endCheck, invoiceCheck } from './invoices.ts'
import type { Complaint, Invoice, InvoiceCheck, MalformedLine, WrittenLine } from './invoices.ts'
import { INTAKE_LIMITS } from './limits.ts'
import type { Row, WholeRow } from './rows.ts'
import { isId, shown } from './text.ts'

/**
 * The result of reading a file. `rowCount` is the sum of the lines of all orders and returns, the
 * `rowCount` of all rejected invoices, and `malformedRows`.
 */
export interface Intake {
  /** In the order of their first rows. */
  readonly invoices: Invoice[]
  readonly rowCount: number
  /** Rows without a readable invoice number. */
  readonly malformedRows: number
  /** Complaints about these rows, at most `complaintsMax`. */
  readonly malformedComplaints: Complaint[]
}

export interface Grouping {
  add(rows: readonly Row[]): void
  /** Finishes the check of every invoice and returns the result. Call it once. */
  end(): Intake
}

/** Groups rows by invoice, wherever they are in the file, and checks each invoice as a whole. */
export function grouping(): Grouping {
  const checks = new Map<string, InvoiceCheck>()
  const malformedComplaints: Complaint[] = []
  const written = rowWriter()
  let rowCount = 0
  let malformedRows = 0

  function put(invoiceId: string, line: WrittenLine | MalformedLine): void {
    let check = checks.get(invoiceId)
    if (check === undefined) {
      check = invoiceCheck(ownText(invoiceId))
      checks.set(check.invoiceId, check)
    }
    checkLine(check, line)
  }

  function putNowhere(line: number, message: string): void {
    malformedRows += 1
    if (malformedComplaints.length === INTAKE_LIMITS.complaintsMax) return
    malformedComplaints.push({ line, reason: 'malformed', message })
  }

  function add(row: Row): void {
    rowCount += 1
    if ('fields' in row) {
      const invoiceId = row.fields[0] ?? ''
      if (isId(invoiceId)) put(invoiceId, written(row))
      else putNowhere(row.line, `invoice number ${shown(invoiceId)} is not valid`)
      return
    }
    const { line, malformed, invoiceId } = row
    if (invoiceId === undefined) putNowhere(line, malformed)
    else put(invoiceId, { line, malformed })
  }

  return {
    add: (rows: readonly Row[]): void => rows.forEach(add),
    end(): Intake {
      const invoices: Invoice[] = []
      for (const [invoiceId, check] of checks) {
        checks.delete(invoiceId)
        invoices.push(endCheck(check))
      }
      return { invoices, rowCount, malformedRows, malformedComplaints }
    },
  }
}

/**
 * Converts rows to lines. Their strings share no memory with the chunk that they were sliced from, and
 * repeated strings are kept once.
 */
function rowWriter(): (row: WholeRow) => WrittenLine {
  const known = new Map<string, string>()
  let last: WrittenLine | undefined
  const same = (text: string, before: string | undefined): string =>
    text === before ? before : ownText(text)
  const shared = (text: string): string => {
    let own = known.get(text)
    if (own !== undefined) return own
    own = ownText(text)
    // An over-long text rejects its invoice, so it need not be kept.
    if (own.length <= INTAKE_LIMITS.idLengthMax) known.set(own, own)
    return own
  }
  return ({ line, fields }: WholeRow): WrittenLine => {
    const [, sku = '', , quantity = '', placedAt = '', unitPrice = '', customerId = ''] = fields
    last = {
      line,
      sku: shared(sku),
      quantity,
      placedAt: same(placedAt, last?.placedAt),
      unitPrice,
      customerId: same(customerId, last?.customerId),
      country: shared(fields[7] ?? ''),
    }
    return last
  }
}

/** A copy of a string; a slice would keep the whole string that it was taken from in memory. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
