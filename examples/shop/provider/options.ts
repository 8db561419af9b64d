// The options of the command.
import type { Printed } from '../run/command-line.ts'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { numberIn, portsFor, whole } from '../run/options.ts'

export interface OutageOptions {
  readonly data: string
  readonly byHand: boolean
  readonly json: boolean
  /** How many times faster everything happens. */
  readonly speed: number
  readonly seed: number
  readonly ports: readonly number[]
}

export const usage = `The shop, and a payment provider with bad days: it is down for a while, then answers twice,
then too late, and it refuses one card for ever.

  npm run provider-outage -- [options]

  --by-hand                leave the refused card to you: edit and redrive it on the page or from the
                           command line; the shop runs until Ctrl-C
  --speed FACTOR           everything happens so many times faster (1)
  --seed N                 which calls are late, and which notifications come twice (1)
  --port N                 port of the page; 0 is any free port (4400 if free)
  --data DIR               data directory, which is deleted first (.throughline/provider-outage)
  --json                   print the totals as one line of JSON, for npm run books
  --help                   print this help`

const flags = {
  data: { type: 'string', default: join('.throughline', 'provider-outage') },
  'by-hand': { type: 'boolean', default: false },
  speed: { type: 'string', default: '1' },
  seed: { type: 'string', default: '1' },
  port: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** The options, or the text to print and the exit code instead of running. */
export function readOptions(args: readonly string[]): OutageOptions | Printed {
  try {
    const { values } = parseArgs({ args: [...args], options: flags })
    if (values.help) return { print: usage, exitCode: 0 }
    return {
      data: values.data,
      byHand: values['by-hand'],
      json: values.json,
      speed: numberIn('--speed', values.speed, 0.1, 100),
      seed: whole('--seed', values.seed, 0, 2 ** 32 - 1),
      ports: portsFor(values.port, false),
    }
  } catch (cause) {
    return {
      print: `${cause instanceof Error ? cause.message : String(cause)}\n\n${usage}`,
      exitCode: 2,
    }
  }
}
