import { checkLine, endCheck, invoiceCheck } from './invoices.ts'
import type { Complaint, Invoice, InvoiceCheck, MalformedLine, WrittenLine } from './invoices.ts'
import { INTAKE_LIMITS } from './limits.ts'
import type { Row, WholeRow } from './rows.ts'
import { isId, shown } from './text.ts'

/**
 * What came in. Every row is accounted for: `rowCount` is the lines of all orders and returns, the
 * `rowCount` of all that is refused, and `malformedRows`.
 */
export interface Intake {
  /** In the sequence of their first rows. */
  readonly invoices: Invoice[]
  readonly rowCount: number
  /** Rows that are of no invoice, since no invoice number can be read. */
  readonly malformedRows: number
  /** What is wrong with them: at most `complaintsMax`. */
  readonly malformedComplaints: Complaint[]
}

export interface Grouping {
  add(rows: readonly Row[]): void
  /** Ends the check of every invoice, and answers them. Once. */
  end(): Intake
}

/** Gathers rows by invoice, wherever they stand in the file, and checks each invoice whole. */
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
      else putNowhere(row.line, `invoice number ${shown(invoiceId)} cannot be one`)
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
 * Names the fields of rows. What an invoice keeps of them shares no memory with the chunk that it
 * was cut from, and texts that come again and again are kept once.
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
    // A text that is too long refuses its invoice, so that nobody keeps it.
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

/** A copy that shares no memory: a slice of a long text keeps all of that text alive. */
function ownText(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
