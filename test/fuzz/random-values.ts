// Random parts of requests: texts, JSON values, bodies. What is likely to break a server is likely here.
import type { Random } from '../../src/base/random.ts'

export const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'PROPFIND',
  'QUERY',
]
export const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'application/json; charset=latin1',
  'application/x+json',
  'text/plain',
  'application/xml',
  'nonsense',
  ';;;',
]
export const TEXTS = [
  '',
  'a',
  '0',
  '-1',
  'null',
  'o-1',
  '__proto__',
  'constructor',
  'x'.repeat(300),
  'x'.repeat(2_000),
  '\u0000',
  '\ud800',
  'ä€😀',
  '../..',
  '%',
  '"',
  '\\',
  'ordering.PlaceOrder:k',
  '1e999',
  ' ',
  '\n',
  '7',
  'true',
  '[1]',
  '[[[[[[',
  '{"__proto__":{"a":1},"constructor":1}',
]
export const VALUES = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  1.5,
  2 ** 53,
  1e300,
  '',
  [],
  {},
  [[]],
  [null],
  { is: 'x' },
]

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

export function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

/** Headers that any request may have. */
export function headersOf(random: Random): Record<string, string> {
  const headers: Record<string, string> = {}
  headers['content-type'] = random() < 0.85 ? 'application/json' : pick(random, TYPES)
  if (random() < 0.1)
    headers['accept'] = pick(random, ['text/event-stream', '*/*', 'x', '', ';q=,;'])
  if (random() < 0.05) headers['x-odd'] = 'x'.repeat(Math.floor(random() * 4_000))
  return headers
}

/** A JSON body like the example, or a broken one. */
export function bodyOf(random: Random, example: unknown): string {
  const chance = random()
  if (chance < 0.05)
    return pick(random, ['', '{', '[', '"', 'nul', '{"a":1,}', '\u0000', '\ufeff{}'])
  if (chance < 0.08) return `${'['.repeat(5_000)}${']'.repeat(5_000)}`
  if (chance < 0.1) return `{"a":"${'x'.repeat(200_000)}"}`
  if (chance < 0.12) return '{"__proto__":{"x":1},"constructor":1,"toJSON":2}'
  const text = JSON.stringify(chance < 0.4 ? example : mutated(random, example, 0.3)) ?? 'null'
  if (chance > 0.95) return text.slice(0, Math.floor(random() * text.length))
  return text
}

/** The value with some of its parts replaced, removed or added. */
export function mutated(random: Random, value: unknown, rate: number): unknown {
  if (random() < rate) return random() < 0.5 ? pick(random, VALUES) : pick(random, TEXTS)
  if (Array.isArray(value)) {
    const list = value.map((each) => mutated(random, each, rate))
    return random() < 0.2 ? [...list, ...list, pick(random, VALUES)] : list
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
    .filter(() => random() > 0.1)
    .map(([name, member]) => [name, mutated(random, member, rate)])
  if (random() < 0.1) entries.push([pick(random, TEXTS), pick(random, VALUES)])
  return Object.fromEntries(entries)
}
