import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { jsonSchemaOf } from './json-schema.ts'
import { patternSample } from './pattern-sample.ts'

const KNOWN: Readonly<Record<string, string>> = {
  '^[A-Z]{3}$': 'AAA',
  '^ord-[0-9]+$': 'ord-1',
  '^(?:EUR|CHF)$': 'EUR',
  '^\\d{4}-\\d{2}$': '1111-11',
  '^(?<a>x|y)?z{0,2}\\.$': 'xz.',
  '^[^a]$': 'A',
  '^\\w+@\\w+\\.\\w{2,}$': 'a@a.aa',
  '^[\\]\\-]$': '-',
  '^\\p{Lu}\\x41\\u0042\\u{43}$': 'AABC',
  a: 'a',
  '': '',
  '^[%§]$': '%',
  '^(?:a{0}b)$': 'b',
}

describe('a text of a pattern', () => {
  for (const [pattern, text] of Object.entries(KNOWN))
    test(`${pattern || '(empty)'} is ${text || '(empty)'}`, () =>
      assert.equal(patternSample(pattern), text))

  test('is found for the patterns of zod', () => {
    for (const schema of [z.uuid(), z.ipv4(), z.iso.time(), z.cuid2(), z.nanoid(), z.hex()]) {
      const pattern = jsonSchemaOf(schema, 'input')?.['pattern']
      assert.ok(schema.safeParse(patternSample(String(pattern))).success, String(pattern))
    }
  })

  test('is not found for unsupported patterns, or if there is none', () => {
    for (const pattern of ['^(?=.*b)[a]+$', '^(a|b)\\1b$', '(', '^[a-', 'a{2,1}', 'a{999}', '^a$b'])
      assert.equal(patternSample(pattern), undefined, pattern)
  })

  test('matches its pattern', () => {
    const unit = fc.constantFrom(...Array.from('ab1|()[]{}^$\\.*+?-,:=!<>dwsu'))
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 20 }), (pattern) => {
        const text = patternSample(pattern)
        if (text !== undefined) assert.match(text, new RegExp(pattern, 'u'))
      }),
      { numRuns: 5_000 },
    )
  })
})
