// What the shop takes over HTTP, and how it becomes a command. The check is the one of the file's
// door: a body is an invoice whose lines have no file.
import { createHash } from 'node:crypto'
import type { Rejection } from 'throughline/gateway'
import { reject } from 'throughline/gateway'
import { z } from 'zod'
import type { OrderLine } from '../contracts.ts'
import type { Invoice, WrittenLine } from '../intake/invoices.ts'
import { checkInvoice } from '../intake/invoices.ts'
import { isId } from '../intake/text.ts'

/** A number, or the text of one: what is wrong with it is for the check to say. */
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

/** A number for who has none: the same whenever the same request is sent again. */
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
    // In a file the pieces of a return are negative; here they are those that come back.
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

/** Which part of a line a reason is about; a malformed one can be any. */
const PARTS = {
  malformed: '.sku',
  'bad-quantity': '.quantity',
  'bad-price': '.unitPrice',
  'bad-pence': '.unitPrice',
} as const

/** The texts of a body that stand for all of its lines; what is wrong with one is told once. */
function complaintsOfIds(body: Readonly<Record<string, unknown>>): readonly Misnamed[] {
  return (['orderId', 'returnId', 'customerId', 'country'] as const)
    .filter((path) => typeof body[path] === 'string' && !isId(body[path]))
    .map((path) => ({ path, message: 'is no text of 1 to 64 printable characters' }))
}

interface Misnamed {
  readonly path: string
  readonly message: string
}

/** Of a malformed line, the product code is its own; the rest is told of the body as a whole. */
const isOfLine = ({ reason, message }: { reason: string; message: string }): boolean =>
  reason !== 'malformed' || message.startsWith('product code')

function rejectionOf(checked: Invoice, misnamed: readonly Misnamed[]): Rejection {
  if (checked.kind !== 'rejected') return reject([{ path: '', message: 'is no such invoice' }])
  const ofLines = checked.complaints
    .filter((complaint) => misnamed.length === 0 || isOfLine(complaint))
    .map(({ line, reason, message }) => {
      return { path: `lines[${line - 1}]${PARTS[reason]}`, message: `${reason}: ${message}` }
    })
  return reject([...misnamed, ...ofLines])
}
