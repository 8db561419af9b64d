// The measured system: counts and sums readings for each of 1,000 meters.
import type { Entity, Message, Projection, Schema, Service } from '../index.ts'
import { command, contract, entity, event, projection, service, tool } from '../index.ts'

/** One reading; 150 bytes as JSON. */
export interface Reading {
  readonly meterId: string
  /** The number of the reading, from 0. */
  readonly number: number
  readonly units: number
  readonly note: string
}

const METERS = 1_000
const PAYLOAD_BYTES = 150
const UNITS = 100

/** Creates a reading. Cheap, since its time is part of the measurement. */
export function readingOf(number: number): Reading {
  const [meter, units] = [number % METERS, number % UNITS]
  const digits = digitsOf(meter) + digitsOf(number) + digitsOf(units)
  const note = NOTE.slice(0, PAYLOAD_BYTES - FRAME_BYTES - digits)
  return { meterId: `meter-${meter}`, number, units, note }
}

const FRAME_BYTES = '{"meterId":"meter-","number":,"units":,"note":""}'.length
function digitsOf(whole: number): number {
  let digits = 1
  for (let bound = 10; whole >= bound; bound *= 10) digits += 1
  return digits
}
const NOTE = 'read by hand, the door was open and the dog was friendly; '.repeat(4)

/** The total of a meter. */
export interface Total {
  readonly count: number
  readonly units: number
}

type Issue = { readonly message: string; readonly path: readonly string[] }
const isText = (value: unknown): boolean => typeof value === 'string' && value.length > 0
const isWhole = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0
const FIELDS = { meterId: isText, number: isWhole, units: isWhole, note: isText } as const

/** A schema that validates each field, as a schema library would. */
function readingSchema(): Schema<Reading> {
  const validate = (value: unknown): { value: Reading } | { issues: readonly Issue[] } => {
    const given = value as Readonly<Record<string, unknown>>
    const issues: Issue[] = []
    for (const name in FIELDS)
      if (!FIELDS[name as keyof typeof FIELDS](given[name]))
        issues.push({ path: [name], message: 'is invalid' })
    return issues.length > 0 ? { issues } : { value: given as unknown as Reading }
  }
  const text = { type: 'string', minLength: 1 }
  const whole = { type: 'integer', minimum: 0 }
  const jsonSchema = {
    type: 'object',
    properties: { meterId: text, number: whole, units: whole, note: text },
    required: Object.keys(FIELDS),
  }
  const asJson = { input: () => jsonSchema, output: () => jsonSchema }
  const standard = { version: 1, vendor: 'throughline', validate, jsonSchema: asJson } as const
  return { '~standard': standard }
}

const schema = readingSchema()

/** Readings that are appended as events, without an entity. */
export const Readings = contract('readings', { key: 'meterId' }, { Taken: event(schema) })

/** Readings that are sent as commands to an entity. */
export const Meters = contract(
  'meters',
  { key: 'meterId' },
  { Take: command(schema), Counted: event(schema) },
)

/** Called when a rule has counted a reading, before the commit. */
export type OnCounted = (number: number) => void

const more = ({ units }: Reading, before: Total | undefined): Total => ({
  count: (before?.count ?? 0) + 1,
  units: (before?.units ?? 0) + units,
})

/** Which rule counts the readings. */
export const PATHS = ['projection', 'entity', 'nothing'] as const
export type Path = (typeof PATHS)[number]

export interface System {
  readonly services: readonly Service<string, unknown>[]
  readonly message: (reading: Reading) => Message
}

/** The services of a path; `nothing` only stores the readings. */
export function systemOf(path: Path, counted: OnCounted): System {
  if (path === 'entity') {
    const services = [service('meters', { owns: [Meters], runs: [meterOf(counted)] })]
    return { services, message: Meters.Take }
  }
  const runs = path === 'projection' ? [totalsOf('totals', counted)] : []
  const services = [service('readings', { owns: [Readings], runs })]
  return { services, message: Readings.Taken }
}

/** The projection of totals. A new name makes a new projection, which reads from the beginning. */
export function totalsOf(name: string, counted: OnCounted): Projection<string, Total> {
  return projection(name, { by: 'meterId', row: tool<Total>() }, (on) => [
    on(Readings.Taken, (reading, before) => {
      counted(reading.number)
      return more(reading, before)
    }),
  ])
}

function meterOf(counted: OnCounted): Entity<'meter', Total> {
  return entity(
    'meter',
    { of: Meters, id: 'meterId', initial: { count: 0, units: 0 } as Total },
    {
      decide: (on) => [on(Meters.Take, (reading) => Meters.Counted(reading))],
      evolve: (on) => [
        on(Meters.Counted, (reading, before) => {
          counted(reading.number)
          return more(reading, before)
        }),
      ],
    },
  )
}
