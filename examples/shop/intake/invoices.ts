import { INTAKE_LIMITS } from './limits.ts'
import { counted, isId, shown } from './text.ts'
import { isInstant, priceCents, wholeNumber } from './value.ts'

/** Why an order or return is rejected, most serious first. */
export const REASONS = ['malformed', 'bad-quantity', 'bad-price', 'bad-pence'] as const

export type Reason = (typeof REASONS)[number]

/** A problem of one line of an invoice. */
export interface Complaint {
  /** The line number in the file, from 1. */
  readonly line: number
  readonly reason: Reason
  readonly message: string
}

export interface OrderLine {
  readonly sku: string
  readonly quantity: number
  readonly unitPriceCents: number
}

export interface ReturnLine {
  readonly sku: string
  /** The pieces that are returned, as a positive number. */
  readonly quantity: number
}

export interface OrderInvoice {
  readonly kind: 'order'
  readonly invoiceId: string
  /** The customer's key: `c:` and the customer id, or `g:` and the invoice number of a guest. */
  readonly customerId: string
  readonly isGuest: boolean
  readonly country: string
  /** An ISO 8601 instant in UTC. */
  readonly placedAt: string | undefined
  readonly lines: readonly OrderLine[]
}

export interface ReturnInvoice {
  readonly kind: 'return'
  readonly invoiceId: string
  readonly customerId: string
  readonly isGuest: boolean
  readonly lines: readonly ReturnLine[]
}

/** An order or return that is rejected as a whole, since at least one of its lines is invalid. */
export interface RejectedInvoice {
  readonly kind: 'rejected'
  readonly invoiceId: string
  /** The key of the first readable customer; without one, the key of a guest. */
  readonly customerId: string
  /** The most serious reason that occurs. */
  readonly reason: Reason
  /** Sorted by line, at most `complaintsMax`. */
  readonly complaints: readonly Complaint[]
  readonly complaintCount: number
  /** The number of its rows. */
  readonly rowCount: number
}

export type Invoice = OrderInvoice | ReturnInvoice | RejectedInvoice

/** A row as unvalidated text. */
export interface WrittenLine {
  readonly line: number
  readonly sku: string
  readonly quantity: string
  /** Undefined for an invoice that does not come from a file. */
  readonly placedAt: string | undefined
  readonly unitPrice: string
  readonly customerId: string
  readonly country: string
}

/** A row of which only the invoice number can be read, and why. */
export interface MalformedLine {
  readonly line: number
  readonly malformed: string
}

/**
 * The state of the check of one invoice. It keeps the values of valid lines, and none once the invoice
 * is rejected, so that the text of a long file is not kept in memory.
 */
export interface InvoiceCheck {
  readonly invoiceId: string
  readonly isReturn: boolean
  readonly findings: Findings
  readonly ordered: OrderLine[]
  readonly returned: ReturnLine[]
  rowCount: number
  totalCents: number
  first: WrittenLine | MalformedLine | undefined
  /** The line number of the first line above the limit. */
  lineBeyond: number | undefined
  /** The first readable customer id; empty for a guest. */
  customerId: string | undefined
}

/** Starts the check of an invoice. It is a return if its number begins with `C`. */
export function invoiceCheck(invoiceId: string): InvoiceCheck {
  return {
    invoiceId,
    isReturn: invoiceId.startsWith('C'),
    findings: noFindings(),
    ordered: [],
    returned: [],
    rowCount: 0,
    totalCents: 0,
    first: undefined,
    lineBeyond: undefined,
    customerId: undefined,
  }
}

/** Checks one more line. Lines past `linesPerInvoiceMax` are only counted. Never throws. */
export function checkLine(check: InvoiceCheck, line: WrittenLine | MalformedLine): void {
  const { findings, ordered, returned } = check
  check.rowCount += 1
  check.first ??= line
  if ('sku' in line && isCustomer(line.customerId)) check.customerId ??= line.customerId
  if (check.rowCount > INTAKE_LIMITS.linesPerInvoiceMax) {
    check.lineBeyond ??= line.line
    return
  }
  if ('malformed' in line) addFinding(findings, line.line, 'malformed', line.malformed)
  else if (check.isReturn) returned.push(returnLine(line, findings))
  else {
    const item = orderLine(line, findings)
    ordered.push(item)
    addWorth(check, line.line, item.quantity * item.unitPriceCents)
  }
  if (findings.count === 0) return
  ordered.length = 0
  returned.length = 0
}

/**
 * Finishes a check: the invoice is an order, a return, or rejected with all its complaints. Customer,
 * country and time are those of its first line.
 */
export function endCheck(check: InvoiceCheck): Invoice {
  const { invoiceId, first, isReturn, ordered, returned } = check
  if (first === undefined || 'malformed' in first) return rejected(check)
  const hasRoom = check.lineBeyond === undefined && isId(invoiceId)
  if (check.findings.count > 0 || !hasRoom) return rejected(check)
  const isGuest = first.customerId === ''
  const customerId = customerKey(invoiceId, first.customerId)
  if (isReturn) return { kind: 'return', invoiceId, customerId, isGuest, lines: returned }
  const { country, placedAt } = first
  return { kind: 'order', invoiceId, customerId, isGuest, country, placedAt, lines: ordered }
}

/** Checks an invoice given all its lines. */
export function checkInvoice(
  invoiceId: string,
  lines: readonly (WrittenLine | MalformedLine)[],
): Invoice {
  const check = invoiceCheck(invoiceId)
  for (const line of lines) checkLine(check, line)
  return endCheck(check)
}

/** The message key of a customer, or of a guest's invoice. */
export function customerKey(invoiceId: string, customerId: string): string {
  return customerId === '' ? `g:${invoiceId}` : `c:${customerId}`
}

/** The complaints about an invoice so far: all are counted, the first ones are listed. */
interface Findings {
  count: number
  /** Undefined if there is no complaint. */
  gravest: Reason | undefined
  readonly complaints: Complaint[]
}

function noFindings(): Findings {
  return { count: 0, gravest: undefined, complaints: [] }
}

function addFinding(findings: Findings, line: number, reason: Reason, message: string): void {
  const { complaints, gravest } = findings
  findings.count += 1
  if (gravest === undefined || REASONS.indexOf(reason) < REASONS.indexOf(gravest)) {
    findings.gravest = reason
  }
  if (complaints.length < INTAKE_LIMITS.complaintsMax) complaints.push({ line, reason, message })
}

function addWorth(check: InvoiceCheck, line: number, cents: number): void {
  const { orderTotalCentsMax } = INTAKE_LIMITS
  const wasCountable = check.totalCents <= orderTotalCentsMax
  check.totalCents += cents
  if (!wasCountable || check.totalCents <= orderTotalCentsMax) return
  const message = 'with this line the order is worth too much for one'
  addFinding(check.findings, line, 'bad-price', message)
}

/** Complaints about the invoice as a whole. */
function wholeFindings({ invoiceId, first, rowCount, lineBeyond }: InvoiceCheck): Findings {
  const findings = noFindings()
  const line = first?.line ?? 1
  if (first === undefined) addFinding(findings, line, 'malformed', 'the invoice has no line')
  if (!isId(invoiceId)) {
    addFinding(findings, line, 'malformed', `invoice number ${shown(invoiceId)} ${NOT_AN_ID}`)
  }
  if (lineBeyond !== undefined) {
    const most = `an invoice has ${counted(INTAKE_LIMITS.linesPerInvoiceMax)} at most`
    const message = `one of ${counted(rowCount)} lines: ${most}`
    addFinding(findings, lineBeyond, 'malformed', message)
  }
  return findings
}

function orderLine(written: WrittenLine, findings: Findings): OrderLine {
  const { line, sku } = written
  checkSku(written, findings)
  const quantity = wholeNumber(written.quantity, INTAKE_LIMITS.quantityMax)
  if (quantity === undefined) {
    const wanted = `is no whole number from 1 to ${counted(INTAKE_LIMITS.quantityMax)}`
    addFinding(findings, line, 'bad-quantity', `quantity ${shown(written.quantity)} ${wanted}`)
  }
  checkInstant(written, findings)
  const unitPriceCents = priceCents(written.unitPrice, INTAKE_LIMITS.unitPriceCentsMax)
  if (typeof unitPriceCents === 'string') {
    addFinding(
      findings,
      line,
      unitPriceCents,
      `price ${shown(written.unitPrice)} ${WRONG[unitPriceCents]}`,
    )
  }
  checkBuyer(written, findings)
  if (quantity === undefined || typeof unitPriceCents === 'string') {
    return { sku, quantity: 0, unitPriceCents: 0 }
  }
  return { sku, quantity, unitPriceCents }
}

/** The price of a return is not checked: the refund follows from the price of the order. */
function returnLine(written: WrittenLine, findings: Findings): ReturnLine {
  checkSku(written, findings)
  const { line, sku, quantity: text } = written
  const isNegative = text.startsWith('-')
  const quantity = isNegative ? wholeNumber(text.slice(1), INTAKE_LIMITS.quantityMax) : undefined
  if (quantity === undefined) {
    const wanted = `is no whole number from -1 to -${counted(INTAKE_LIMITS.quantityMax)}`
    addFinding(findings, line, 'bad-quantity', `quantity ${shown(text)} of a return ${wanted}`)
  }
  checkInstant(written, findings)
  checkBuyer(written, findings)
  return { sku, quantity: quantity ?? 0 }
}

const NOT_AN_ID = `is no text of 1 to ${INTAKE_LIMITS.idLengthMax} printable characters`

const WRONG = {
  'bad-price': `is no price from 0.01 to ${counted(INTAKE_LIMITS.unitPriceCentsMax / 100)}.00`,
  'bad-pence': 'is no whole number of pence',
} as const

function checkSku({ line, sku }: WrittenLine, findings: Findings): void {
  if (!isId(sku)) addFinding(findings, line, 'malformed', `product code ${shown(sku)} ${NOT_AN_ID}`)
}

function checkInstant({ line, placedAt }: WrittenLine, findings: Findings): void {
  if (placedAt === undefined || isInstant(placedAt)) return
  addFinding(
    findings,
    line,
    'malformed',
    `date ${shown(placedAt)} is no instant such as 2010-12-01T08:26:00Z`,
  )
}

function checkBuyer({ line, customerId, country }: WrittenLine, findings: Findings): void {
  if (customerId !== '' && !isId(customerId)) {
    addFinding(findings, line, 'malformed', `customer id ${shown(customerId)} ${NOT_AN_ID}`)
  }
  if (!isId(country))
    addFinding(findings, line, 'malformed', `country ${shown(country)} ${NOT_AN_ID}`)
}

function rejected(check: InvoiceCheck): RejectedInvoice {
  const whole = wholeFindings(check)
  const { findings } = check
  // Complaints about the whole come first, since those about lines may have filled the list.
  const complaints = [...whole.complaints, ...findings.complaints]
  // An over-long invoice number is truncated, since keys are bounded.
  const invoiceId = check.invoiceId.slice(0, INTAKE_LIMITS.idLengthMax)
  return {
    kind: 'rejected',
    invoiceId,
    customerId: customerKey(invoiceId, check.customerId ?? ''),
    // Complaints about the whole are always `malformed`, the most serious reason.
    reason: whole.gravest ?? findings.gravest ?? 'malformed',
    complaints: complaints
      .slice(0, INTAKE_LIMITS.complaintsMax)
      .sort((one, other) => one.line - other.line),
    complaintCount: whole.count + findings.count,
    rowCount: check.rowCount,
  }
}

function isCustomer(customerId: string): boolean {
  return customerId === '' || isId(customerId)
}
