import { ShopFault } from './shop-fault.ts'
import { INTAKE_LIMITS } from './limits.ts'
import { lineReader } from './lines.ts'
import { scan } from './scan.ts'
import type { OpenQuote, Scan } from './scan.ts'
import { counted, isId, shown } from './text.ts'

export const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const

/** A row with the right number of fields, whose values are not validated yet. */
export interface WholeRow {
  /** The line of the file at which the row begins, from 1. */
  readonly line: number
  readonly fields: readonly string[]
}

/** A row that cannot be split into its columns. */
export interface MalformedRow {
  readonly line: number
  readonly malformed: string
  /** The invoice number, if it can be read. */
  readonly invoiceId?: string
}

export type Row = WholeRow | MalformedRow

export interface RowReader {
  /** Reads the next chunk of text, split at any place, and returns the rows that it completes. */
  read(text: string): Row[]
  /** Ends the text and returns the remaining rows. */
  end(): Row[]
}

/** How much of an over-long line is kept: enough to read its invoice number. */
const HEAD_LENGTH = 4 * INTAKE_LIMITS.idLengthMax

type Ended = Exclude<Scan, { readonly status: 'open' }>

interface OpenRow extends OpenQuote {
  readonly line: number
  readonly lastLine: number
  readonly length: number
}

/**
 * Splits text into rows, in one pass and in bounded memory. Lines end with LF or CRLF; a BOM and blank
 * lines are ignored. A row with an open quote continues on the next line, unless that line is a whole
 * row by itself: then the open row is malformed.
 *
 * @throws ShopFault `SHOP_HEADER_WRONG` at the first line that is not blank
 */
export function rowReader(): RowReader {
  const { rowLengthMax } = INTAKE_LIMITS
  const joined = rowJoiner()
  let line = 0
  let hasHeader = false
  // One more character than a row may have, for a CR.
  const lines = lineReader(rowLengthMax + 1, HEAD_LENGTH, (raw, isCut) => {
    line += 1
    const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (hasHeader) {
      if (isCut || text.length > rowLengthMax) joined.skip(line, text)
      else joined.take(line, text, raw)
    } else if (text !== '') {
      checkHeader(text, line)
      hasHeader = true
    }
  })
  return {
    read(text: string): Row[] {
      lines.read(text)
      return joined.answer()
    },
    end(): Row[] {
      lines.end()
      if (!hasHeader) throw new ShopFault('SHOP_HEADER_WRONG', 'the file is empty')
      joined.giveUp('at the end of the file')
      return joined.answer()
    },
  }
}

interface RowJoiner {
  take(line: number, text: string, raw: string): void
  /** Reads an over-long line, of which at least the head is given. */
  skip(line: number, head: string): void
  /** Ends an open row as malformed. */
  giveUp(where: string): void
  answer(): Row[]
}

/** Joins lines into rows and keeps the row whose quote is open. */
function rowJoiner(): RowJoiner {
  let rows: Row[] = []
  let open: OpenRow | undefined

  function giveUp(where: string): void {
    if (open === undefined) return
    const message = `its quote is still open ${where}${upTo(open.line, open.lastLine)}`
    rows.push(malformedRow(open.line, open.fields[0], message))
    open = undefined
  }

  function begin(line: number, text: string, raw: string): void {
    const scanned = scan(text)
    if (scanned.status === 'open') {
      const { fields, quoted } = scanned
      open = { line, lastLine: line, length: raw.length, fields, quoted: quoted + ending(raw) }
    } else {
      rows.push(ended(line, scanned, line))
    }
  }

  function goOn(row: OpenRow, line: number, text: string, raw: string): void {
    const alone = scan(text)
    if (alone.status === 'whole' && alone.fields.length === COLUMNS.length) {
      giveUp(`where line ${line} begins a row`)
      rows.push({ line, fields: alone.fields })
      return
    }
    const length = row.length + 1 + raw.length
    if (length > INTAKE_LIMITS.rowLengthMax) {
      giveUp(`after ${counted(row.length)} characters`)
      if (text !== '') begin(line, text, raw)
      return
    }
    const scanned = scan(text, row)
    if (scanned.status === 'open') {
      const { fields, quoted } = scanned
      open = { line: row.line, lastLine: line, length, fields, quoted: quoted + ending(raw) }
    } else {
      open = undefined
      rows.push(ended(row.line, scanned, line))
    }
  }

  return {
    take(line: number, text: string, raw: string): void {
      if (open !== undefined) goOn(open, line, text, raw)
      else if (text.includes('"')) begin(line, text, raw)
      else if (text !== '') rows.push(rowOf(line, text.split(',')))
    },
    skip(line: number, head: string): void {
      giveUp(`where line ${line} is too long`)
      const message = `it is longer than ${counted(INTAKE_LIMITS.rowLengthMax)} characters`
      rows.push(malformedRow(line, firstField(head.slice(0, HEAD_LENGTH)), message))
    },
    giveUp,
    answer(): Row[] {
      const answered = rows
      rows = []
      return answered
    },
  }
}

/** Reads rows from text or UTF-8 bytes; yields a list of rows for each chunk. */
export async function* readRows(
  chunks: AsyncIterable<Uint8Array | string> | Iterable<Uint8Array | string>,
): AsyncGenerator<Row[]> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  const reader = rowReader()
  for await (const chunk of chunks) {
    yield reader.read(typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))
  }
  const last = reader.read(decoder.decode())
  yield [...last, ...reader.end()]
}

function checkHeader(text: string, line: number): void {
  const scanned = scan(text)
  const names = scanned.status === 'whole' ? scanned.fields : text.split(',')
  const wrong = COLUMNS.findIndex((column, index) => names[index] !== column)
  if (wrong === -1 && names.length === COLUMNS.length) return
  const found = names[wrong]
  const detail =
    wrong === -1
      ? `it has ${counted(names.length)} columns in place of ${COLUMNS.length}`
      : `column ${wrong + 1} is ${found === undefined ? 'missing' : shown(found)}` +
        ` in place of "${COLUMNS[wrong]}"`
  const cure = `the columns are ${COLUMNS.join(',')}`
  throw new ShopFault('SHOP_HEADER_WRONG', `on line ${line}, ${detail}; ${cure}`)
}

/** The row that a line completes. */
function ended(line: number, { fields, ...scanned }: Ended, lastLine: number): Row {
  if (scanned.status === 'whole' && fields.length === COLUMNS.length) return { line, fields }
  const message = scanned.status === 'broken' ? scanned.message : fieldCount(fields.length)
  return malformedRow(line, fields[0], `${message}${upTo(line, lastLine)}`)
}

function rowOf(line: number, fields: readonly string[]): Row {
  if (fields.length === COLUMNS.length) return { line, fields }
  return malformedRow(line, fields[0], fieldCount(fields.length))
}

function malformedRow(line: number, first: string | undefined, malformed: string): MalformedRow {
  if (first === undefined || !isId(first)) return { line, malformed }
  return { line, malformed, invoiceId: first }
}

function fieldCount(count: number): string {
  const fields = count === 1 ? 'field' : 'fields'
  return `it has ${counted(count)} ${fields} in place of ${COLUMNS.length}`
}

/** The lines that a malformed row spans, if more than one. */
function upTo(line: number, lastLine: number): string {
  return lastLine === line ? '' : `; lines ${line} to ${lastLine} go with it`
}

/** The first field of a line, if it ends within the head of the line. */
function firstField(head: string): string | undefined {
  const { status, fields } = scan(head)
  return status === 'whole' && fields.length === 1 ? undefined : fields[0]
}

/** The exact line end within quoted text. */
function ending(raw: string): string {
  return raw.endsWith('\r') ? '\r\n' : '\n'
}
