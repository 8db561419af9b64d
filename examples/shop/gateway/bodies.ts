// The HTTP bodies that the shop accepts, and how they become commands. They are validated like invoices
// of a file.
import { createHash } from 'node:crypto'
import type { Rejection } from 'throughline/gateway'
import { reject } from 'throughline/gateway'
import { z } from 'zod'
import type { OrderLine } from '../contracts.ts'
import type { Invoice, WrittenLine } from '../intake/invoices.ts'
import { checkInvoice } from '../intake/invoices.ts'
import { isId } from '../intake/text.ts'

/** A number or its text; `checkInvoice` validates it. */
const Written = z.union([z.number(), z.string()])

export const OrderBody = z.strictObject({
  orderId: z.string().optional(),
  customerId: z.string().optional(),
  country: z.string(),
  lines: z.array(z.strictObject({ sku: z.string(), quantity: Written, unitPrice: Written })).min(1),
})

export const ReturnBody = z.strictObject({
  returnId: z.string().optional(),
  customerId: z.string().optional(),
  lines: z.array(z.strictObject({ sku: z.string(), quantity: Written })).min(1),
})

type OrderBody = z.infer<typeof OrderBody>
type ReturnBody = z.infer<typeof ReturnBody>

/** An invoice number for a request without one, derived from the command id, so that a retry has the same. */
function numberOf(id: string, prefix: string): string {
  return `${prefix}${createHash('sha256').update(id).digest('hex').slice(0, 16)}`
}

interface ConfirmOrder {
  readonly orderId: string
  readonly customerId: string
  readonly country: string
  readonly lines: OrderLine[]
}

export function orderOf({ body, id }: { body: OrderBody; id: string }): ConfirmOrder | Rejection {
  const orderId = body.orderId ?? numberOf(id, 'W')
  if (orderId.startsWith('C'))
    return reject([{ path: 'orderId', message: 'begins with C, as only returns do' }])
  const misnamed = complaintsOfIds({ ...body, orderId })
  const checked = check(orderId, body, ({ sku, quantity, unitPrice }) => {
    return { sku, quantity: String(quantity), unitPrice: String(unitPrice) }
  })
  if (checked.kind !== 'order') return rejectionOf(checked, misnamed)
  const { customerId, country, lines } = checked
  return { orderId, customerId, country, lines: [...lines] }
}

interface ReturnGoods {
  readonly returnId: string
  readonly customerId: string
  readonly lines: { readonly sku: string; readonly quantity: number }[]
}

export function returnOf({ body, id }: { body: ReturnBody; id: string }): ReturnGoods | Rejection {
  const returnId = body.returnId ?? numberOf(id, 'CW')
  if (!returnId.startsWith('C'))
    return reject([{ path: 'returnId', message: 'must begin with C, as all returns do' }])
  const misnamed = complaintsOfIds({ ...body, returnId })
  const whole = { ...body, country: 'unknown' }
  const checked = check(returnId, whole, ({ sku, quantity }) => {
    // In a file, the quantity of a return is negative; in a body it is positive.
    const text = String(quantity)
    return { sku, quantity: text.startsWith('-') ? text.slice(1) : `-${text}`, unitPrice: '' }
  })
  if (checked.kind !== 'return') return rejectionOf(checked, misnamed)
  return { returnId, customerId: checked.customerId, lines: [...checked.lines] }
}

interface Body<L> {
  readonly customerId?: string | undefined
  readonly country: string
  readonly lines: readonly L[]
}

function check<L>(
  invoiceId: string,
  { customerId = '', country, lines }: Body<L>,
  written: (line: L) => Pick<WrittenLine, 'sku' | 'quantity' | 'unitPrice'>,
): Invoice {
  const all = lines.map((line, at) => {
    return { ...written(line), line: at + 1, placedAt: undefined, customerId, country }
  })
  return checkInvoice(invoiceId, all)
}

/** The field of a line that each reason is about. */
const PARTS = {
  malformed: '.sku',
  'bad-quantity': '.quantity',
  'bad-price': '.unitPrice',
  'bad-pence': '.unitPrice',
} as const

/** Issues of the fields of a body that apply to all lines, each reported once. */
function complaintsOfIds(body: Readonly<Record<string, unknown>>): readonly Misnamed[] {
  return (['orderId', 'returnId', 'customerId', 'country'] as const)
    .filter((path) => typeof body[path] === 'string' && !isId(body[path]))
    .map((path) => ({ path, message: 'must be 1 to 64 printable characters' }))
}

interface Misnamed {
  readonly path: string
  readonly message: string
}

/** Whether a complaint is about the line itself and not about a field that applies to all lines. */
const isOfLine = ({ reason, message }: { reason: string; message: string }): boolean =>
  reason !== 'malformed' || message.startsWith('product code')

function rejectionOf(checked: Invoice, misnamed: readonly Misnamed[]): Rejection {
  if (checked.kind !== 'rejected')
    return reject([{ path: '', message: 'is not an invoice of this kind' }])
  const ofLines = checked.complaints
    .filter((complaint) => misnamed.length === 0 || isOfLine(complaint))
    .map(({ line, reason, message }) => {
      return { path: `lines[${line - 1}]${PARTS[reason]}`, message: `${reason}: ${message}` }
    })
  return reject([...misnamed, ...ofLines])
}
