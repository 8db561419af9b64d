// The options of the command line.
import type { Printed } from './command-line.ts'
import { parseArgs } from 'node:util'

export interface RunOptions {
  readonly orders: string | undefined
  readonly data: string | undefined
  readonly once: boolean
  readonly fresh: boolean
  readonly json: boolean
  readonly ratePerSecond: number | undefined
  readonly openingStock: number
  /** Ports to try, in order of preference; 0 is any free port. */
  readonly ports: readonly number[]
}

export const usage = `The shop: five services settle the orders of a file.

  npm start -- [options]

  --orders FILE[.gz]       invoice lines as CSV; default: the excerpt in examples/shop/data
  --once                   stop when the last order has settled, and print the summary
  --rate ORDERS_PER_SECOND send at this rate instead of as fast as possible
  --stock PIECES           initial stock of each product (100,000)
  --port N                 port of gateway and page; 0 is any free port (4400 if free)
  --data DIR               data directory; by default named after the input
  --fresh                  delete the data directory first, if it is one of the shop
  --json                   print lines of JSON: the addresses first, the summary last
  --help                   print this help

Examples:
  npm start
  npm start -- --orders orders.csv.gz --once --json
  npm start -- --stock 50 --data .throughline/scarce --once`

const flags = {
  orders: { type: 'string' },
  data: { type: 'string' },
  rate: { type: 'string' },
  stock: { type: 'string' },
  port: { type: 'string' },
  once: { type: 'boolean', default: false },
  fresh: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** The options, or the text to print and the exit code instead of running. */
export function readOptions(
  args: readonly string[],
  stockOnFirstSight: number,
): RunOptions | Printed {
  try {
    const { values } = parseArgs({ args: [...args], options: flags })
    if (values.help) return { print: usage, exitCode: 0 }
    const { orders, data, once, fresh, json, rate, stock, port } = values
    return {
      orders,
      data,
      once,
      fresh,
      json,
      ratePerSecond: rate === undefined ? undefined : numberIn('--rate', rate, 0.001, 1_000_000),
      openingStock: stock === undefined ? stockOnFirstSight : pieces(stock),
      ports: portsFor(port, once),
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    return { print: `${message}\n\n${usage}`, exitCode: 2 }
  }
}

/** A fixed default, so that the address of the page stays the same after a restart. */
const portOfShop = 4400

/** A named port is the only one; otherwise the default port, or any free one if that is in use. */
export function portsFor(port: string | undefined, once: boolean): readonly number[] {
  if (port !== undefined) return [whole('--port', port, 0, 65_535)]
  return once ? [0] : [portOfShop, 0]
}

const pieces = (text: string): number => whole('--stock', text, 1, 1_000_000_000)

export function whole(flag: string, text: string, min: number, max: number): number {
  const value = numberIn(flag, text, min, max)
  if (!Number.isInteger(value)) throw new Error(`${flag} takes a whole number`)
  return value
}

export function numberIn(flag: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= min && value <= max))
    throw new Error(`${flag} takes a number from ${min} to ${max}, not ${JSON.stringify(text)}`)
  return value
}
