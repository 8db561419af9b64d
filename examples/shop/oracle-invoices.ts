/**
 * The invoices that a CSV text holds, for the books of the oracle: the rules of the file's door,
 * read once more and written anew. It shares nothing with that door.
 */

export type Complaint = 'malformed' | 'bad-quantity' | 'bad-price' | 'bad-pence'
export type Line = { code: string; quantity: number; priceCents: number }
export type Invoice = {
  isReturn: boolean
  /** Empty for a guest. */
  customer: string
  country: string
  lines: Line[]
  /** Why it is refused, if it is. */
  complaint: Complaint | undefined
}
export type Invoices = { inSequence: Invoice[]; malformedRows: number }

const columns = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country'
const columnCount = 8
const idLengthMax = 64
const rowLengthMax = 65_536
const lineCountMax = 5_000
const quantityMax = 10_000_000
const priceCentsMax = 100_000_000
const worthCentsMax = 9e15

/** The first of these that an invoice has is the reason of its refusal. */
const complaintsInRank: Complaint[] = ['malformed', 'bad-quantity', 'bad-price', 'bad-pence']

type Draft = Invoice & { complaints: Set<Complaint>; rowCount: number }

/**
 * Every invoice that reads, in the sequence of first lines. Throws where the first row is not the
 * header.
 */
export function invoicesOf(text: string): Invoices {
  const drafts = new Map<string, Draft>()
  let malformedRows = 0
  for (const row of rowsOf(text)) {
    const [number = '', , , , , , customer = '', country = ''] = row.cells
    if (!isId(number)) {
      malformedRows += 1
      continue
    }
    let draft = drafts.get(number)
    if (draft === undefined) {
      const isReturn = number.startsWith('C')
      const complaints = new Set<Complaint>()
      const lines: Line[] = []
      draft = { isReturn, customer, country, lines, complaints, rowCount: 0, complaint: undefined }
      drafts.set(number, draft)
    }
    addRow(draft, row)
  }
  const inSequence = [...drafts.values()]
  for (const draft of inSequence) {
    let worthCents = 0
    for (const { quantity, priceCents } of draft.lines) worthCents += quantity * priceCents
    if (worthCents > worthCentsMax) draft.complaints.add('bad-price')
    draft.complaint = complaintsInRank.find((each) => draft.complaints.has(each))
  }
  return { inSequence, malformedRows }
}

function addRow(draft: Draft, { cells, isSound }: Row): void {
  const [, code = '', , quantity = '', date = '', price = '', customer = '', country = ''] = cells
  const { isReturn, complaints, lines } = draft
  draft.rowCount += 1
  if (draft.rowCount > lineCountMax) complaints.add('malformed')
  const isWhole = isSound && cells.length === columnCount
  const areIdsGood = isId(code) && isId(country) && (customer === '' || isId(customer))
  if (!isWhole || !areIdsGood || !isIsoDate(date)) {
    complaints.add('malformed')
    return
  }
  const pieces = quantityOf(quantity, isReturn)
  if (pieces === undefined) complaints.add('bad-quantity')
  const priceCents = isReturn ? 0 : priceCentsOf(price)
  if (typeof priceCents === 'string') complaints.add(priceCents)
  if (pieces === undefined || typeof priceCents === 'string') return
  lines.push({ code, quantity: pieces, priceCents })
}

/** Text of some length that prints; U+FFFD is what is left of bytes that were no text. */
function isId(cell: string): boolean {
  if (cell === '' || cell.length > idLengthMax) return false
  return !/[\p{Cc}\p{Cs}\ufffd]/u.test(cell)
}

/** A time of the calendar in UTC, such as 2010-12-01T08:26:00Z. */
function isIsoDate(cell: string): boolean {
  const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d{1,9})?Z$/.exec(cell)
  if (match === null) return false
  const [year = 0, month = 0, day = 0] = match.slice(1, 4).map(Number)
  const [hour = 0, minute = 0, second = 0] = match.slice(4, 7).map(Number)
  const isLeapYear = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const monthDays = [31, isLeapYear ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
  const isDay = day >= 1 && day <= (monthDays[month - 1] ?? 0)
  return isDay && hour <= 23 && minute <= 59 && second <= 59
}

function quantityOf(cell: string, isReturn: boolean): number | undefined {
  if (!/^-?\d+$/.test(cell)) return undefined
  const quantity = Number(cell)
  const pieces = isReturn ? -quantity : quantity
  return pieces > 0 && pieces <= quantityMax ? quantity : undefined
}

/** Reads the digits, since a float would round the pence. */
function priceCentsOf(cell: string): number | 'bad-price' | 'bad-pence' {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(cell)
  if (match === null) return 'bad-price'
  const [, sign, pounds = '', fraction = ''] = match
  const priceCents = Number(pounds) * 100 + Number(fraction.slice(0, 2).padEnd(2, '0'))
  const hasPartPenny = /[1-9]/.test(fraction.slice(2))
  const isPositive = sign === '' && (priceCents > 0 || hasPartPenny)
  const isBeyond = priceCents > priceCentsMax || (priceCents === priceCentsMax && hasPartPenny)
  if (!isPositive || isBeyond) return 'bad-price'
  return hasPartPenny ? 'bad-pence' : priceCents
}

type Row = {
  /** The cells that were read to their end. */
  cells: string[]
  /** Whether quoting was sound to the row's end. */
  isSound: boolean
}
type Reading = {
  cells: string[]
  cell: string
  at: 'start' | 'plain' | 'quoted' | 'after-quote' | 'broken'
}

/** The rows below the header. Blank lines are none. */
function* rowsOf(text: string): Generator<Row> {
  const textLines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map((textLine) => textLine.replace(/\r$/, ''))
  const headerAt = textLines.findIndex((textLine) => textLine !== '')
  const header = headerAt === -1 ? '' : (textLines[headerAt] ?? '')
  const { cells } = rowOf(readingOf(header))
  if (cells.join(',') !== columns) throw new Error(`The first row must be ${columns}`)
  for (let at = headerAt + 1; at < textLines.length; at += 1) {
    const first = textLines[at] ?? ''
    if (first === '') continue
    if (first.length > rowLengthMax) {
      yield { cells: readingOf(first.slice(0, 4 * idLengthMax)).cells, isSound: false }
      continue
    }
    const reading = readingOf(first)
    let { length } = first
    while (reading.at === 'quoted' && at + 1 < textLines.length) {
      const next = textLines[at + 1] ?? ''
      length += 1 + next.length
      if (length > rowLengthMax || isWholeRow(next)) break
      reading.cell += '\n'
      readOn(reading, next)
      at += 1
    }
    yield rowOf(reading)
  }
}

function isWholeRow(textLine: string): boolean {
  const { cells, isSound } = rowOf(readingOf(textLine))
  return isSound && cells.length === columnCount
}

function readingOf(textLine: string): Reading {
  const reading: Reading = { cells: [], cell: '', at: 'start' }
  readOn(reading, textLine)
  return reading
}

function rowOf({ cells, cell, at }: Reading): Row {
  const isSound = at !== 'quoted' && at !== 'broken'
  return { cells: isSound ? [...cells, cell] : cells, isSound }
}

function readOn(reading: Reading, textLine: string): void {
  for (const char of textLine) {
    const isQuoted = reading.at === 'quoted'
    if (char === '"') {
      if (reading.at === 'after-quote') reading.cell += char
      reading.at = isQuoted ? 'after-quote' : reading.at === 'plain' ? 'broken' : 'quoted'
    } else if (isQuoted) {
      reading.cell += char
    } else if (char === ',') {
      reading.cells.push(reading.cell)
      reading.cell = ''
      reading.at = 'start'
    } else {
      reading.cell += char
      reading.at = reading.at === 'after-quote' ? 'broken' : 'plain'
    }
    if (reading.at === 'broken') return
  }
}
