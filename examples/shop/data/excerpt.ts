/**
 * Cuts the excerpt that the shop uses by default out of the whole data set, which is not in this
 * repository.
 *
 *     excerpt.ts FILE[.gz] > orders.csv
 *
 * The excerpt holds all orders and returns of each selected customer, so that returns find their
 * orders. Rows keep their order and their bytes. The same file gives the same excerpt.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { COLUMNS } from '../intake/rows.ts'
import { scan } from '../intake/scan.ts'
import { planted } from './planted.ts'

/** Selected customers, with the reason. */
const customers: ReadonlyMap<string, string> = new Map([
  ['12363', 'of Unspecified'],
  ['16320', 'of Unspecified'],
  ['15108', 'of the European Community, with a return of what was never delivered'],
  ['18102', 'orders above the payment limit'],
  ['15502', 'a return that draws on several orders'],
  ['14901', 'a return at another price than was paid'],
  ['13495', 'a return at another price than was paid'],
  ['16858', 'a return at another price than was paid'],
  ['17924', 'a return that names a product twice'],
  ['13225', 'a return that names a product twice'],
  ['13266', 'a return that names a product twice'],
  ['12744', 'a return of a charge, and orders of charges alone'],
  ['12483', 'a return of a charge'],
  ['12413', 'a return of a charge'],
  ['13090', 'an order of charges alone'],
  ['15823', 'BANK CHARGES'],
  ['13952', 'PADS, at a price below a penny'],
  ['14723', 'M, entered by hand'],
  ['13369', 'C2, carriage'],
  ['15498', 'D, a discount given as a return of nothing'],
  ['17340', 'D, a discount given as a return of nothing'],
  ['12836', 'invoice 542806, whose lines are not contiguous'],
  ['14606', 'the return between them, and the longest history'],
  ['14239', 'a return whose lines have two times'],
  ['13408', 'the last invoice of the file, which is cut off in the name of a country'],
  ['13319', 'several returns that draw on several orders'],
])

/** Selected invoices of guests, with the reason. */
const guests: ReadonlyMap<string, string> = new Map([
  ['537434', 'the order of 675 lines'],
  ['536862', 'DOT, postage of the web shop'],
  ['539736', 'm, entered by hand'],
  ['540238', 'a pound sign that was lost before the file was made'],
  ['537632', 'AMAZONFEE, above the payment limit'],
  ['C537600', 'AMAZONFEE, returned by nobody'],
  ['C537572', 'BANK CHARGES, returned by nobody'],
  ['C537581', 'S, samples returned by nobody'],
  ['537197', 'a price of 0 among sound lines'],
  ['541109', 'a price of 0 among sound lines'],
])

/** An even sample of the others. */
const customerStep = 60
const guestStep = 43
const guestLinesMax = 60

interface FileRow {
  readonly text: string
  readonly invoiceId: string
  readonly customerId: string
}

/** The excerpt of the whole text, with planted rows. Throws on a row that cannot be parsed. */
export function excerptOf(text: string): string {
  const [header = '', ...lines] = text.split('\n').filter((line) => line !== '')
  if (header !== COLUMNS.join(',')) throw new Error(`the first line must be ${COLUMNS.join(',')}`)
  const rows = lines.map(rowOf)
  const counts = new Map<string, number>()
  for (const { invoiceId } of rows) counts.set(invoiceId, (counts.get(invoiceId) ?? 0) + 1)
  const taken = rows.filter((row) => isTaken(row, counts.get(row.invoiceId) ?? 0))
  return `${[header, ...withPlanted(taken)].join('\n')}\n`
}

function rowOf(text: string): FileRow {
  const { status, fields } = scan(text)
  const [invoiceId = ''] = fields
  if (status !== 'whole' || fields.length !== COLUMNS.length) throw new Error(`no row: ${text}`)
  return { text, invoiceId, customerId: fields[6] ?? '' }
}

function isTaken({ invoiceId, customerId }: FileRow, lineCount: number): boolean {
  if (customerId !== '') return customers.has(customerId) || Number(customerId) % customerStep === 0
  if (guests.has(invoiceId)) return true
  return lineCount <= guestLinesMax && Number(invoiceId.replace('C', '')) % guestStep === 0
}

/** Inserts the planted rows evenly, each before the first row of an invoice. */
function withPlanted(rows: readonly FileRow[]): string[] {
  const texts: string[] = []
  const seen = new Set<string>()
  let next = 0
  for (const [at, { text, invoiceId }] of rows.entries()) {
    const isDue = at >= ((next + 1) * rows.length) / (planted.length + 1)
    const wasOpen = seen.has(invoiceId)
    seen.add(invoiceId)
    const due = planted[next]
    if (isDue && !wasOpen && due !== undefined) {
      texts.push(due.text)
      next += 1
    }
    texts.push(text)
  }
  return [...texts, ...planted.slice(next).map((each) => each.text)]
}

if (import.meta.main) {
  const [path] = process.argv.slice(2)
  if (path === undefined) {
    process.stderr.write('Usage: excerpt.ts FILE[.gz] > orders.csv\n')
    process.exitCode = 2
  } else {
    const bytes = readFileSync(path)
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
    process.stdout.write(excerptOf((isPacked ? gunzipSync(bytes) : bytes).toString('utf8')))
  }
}
