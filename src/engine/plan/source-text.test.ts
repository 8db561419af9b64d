import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rulesOfEntity } from './rule-fingerprint.ts'
import { normalizeSource } from './source-text.ts'

describe('the normalized source text', () => {
  const SAME: Readonly<Record<string, readonly string[]>> = {
    'white space': [
      '({ a }, b) => { return a + b }',
      '(\n  { a }       ,\n  b\n) => {\n\treturn a  + b\r\n}',
      '({a},b)=>{return a+b}',
    ],
    comments: ['(a) => a / 2', '(a) => /* half // of */ a / 2', '(a) => // half\n  a / 2'],
    quotes: [`() => 'it\\'s "so"'`, `() => "it's \\"so\\""`, `() => 'it\\'s \\"so\\"'`],
    'trailing commas': ['(a, b) => f(a, [b], { a, b })', '(a, b,) => f(a, [b,], { a, b, },)'],
    'a last semicolon': ['() => { f(); g() }', '() => { f(); g(); }'],
    'parentheses of one parameter': ['(a) => a', 'a => a'],
    templates: ['() => `a ${b + `${c}`} d`', '() => `a ${ b+`${ /* c */ c }` } d`'],
    'broken calls': ['(a) => a.b(1).c()', '(a) =>\n  a\n    .b(1)\n    .c()'],
    'division after brackets': ['(a) => (a) / 2 / a[0] / 2', '(a)=>(a)/2/a[0]/2'],
    'properties called like words of the language': ['(a) => a.return / 2', '(a)=>a.return/2 // "'],
  }
  for (const [what, [first = '', ...others]] of Object.entries(SAME))
    test(`does not count ${what}`, () => {
      for (const other of others) assert.equal(normalizeSource(other), normalizeSource(first))
    })

  const OTHER: readonly (readonly [string, string])[] = [
    ['() => `x  y`', '() => `x y`'],
    ["() => 'x  y'", "() => 'x y'"],
    ["() => '// a'", "() => '// b'"],
    ['() => `// a`', '() => `// b`'],
    ['(a) => /[/*]b/.test(a)', '(a) => /[/*]c/.test(a)'],
    ['(a) => { if (a) /[/*]b*/.test(a) }', '(a) => { if (a) /[/*]c*/.test(a) }'],
    ['(a) => `${/`/.test(a)}`', '(a) => `${/``/.test(a)}`'],
    ['(a) => in b', '(a) => inb'],
    ['() => { return\nb }', '() => { return b }'],
    ['() => { return\n(b) }', '() => { return (b) }'],
    ['() => { a\n++b }', '() => { a++\nb }'],
    ['() => a + +b', '() => a++b'],
    ['() => [,]', '() => []'],
    ['() => [a,,]', '() => [a,]'],
    ['() => "\\\\"', '() => "\\\\\\\\"'],
    ['(a) => a?.5:1', '(a) => a?.b'],
    ['(e) => { // x\r return 1\n}', '(e) => { // x\r return 2\n}'],
    ['(e) => { // x\u2028 return 1\n}', '(e) => { // x\u2028 return 2\n}'],
    ['(e) => { return\r e }', '(e) => { return e }'],
    ['(a) => a?.if(x) / "/" + "x  y" // "\n', '(a) => a?.if(x) / "/" + "x y" // "\n'],
    ['(a) => a.if(x) / "/" + "x  y" // "\n', '(a) => a.if(x) / "/" + "x y" // "\n'],
    // Where a slash is ambiguous, the text is returned unchanged.
    [
      '(s) => { for (const q of /"/[Symbol.split](s)) f("a  b", /"/) }',
      '(s) => { for (const q of /"/[Symbol.split](s)) f("a b", /"/) }',
    ],
    ['function* () { yield /"/.exec("a  b", /"/) }', 'function* () { yield /"/.exec("a b", /"/) }'],
    ['() => { {} /[/*]a*/.test(b) }', '() => { {} /[/*]c*/.test(b) }'],
  ]
  test('differs for texts with different meanings', () => {
    for (const [one, other] of OTHER)
      assert.notEqual(normalizeSource(one), normalizeSource(other), one)
  })

  test('is the text itself where it cannot be parsed', () => {
    for (const text of ['function () { [native code] }', "() => 'a", '() => `a', '() => {'])
      assert.ok(normalizeSource(text).length > 0)
  })
})

test('a fingerprint differs where only the ids of a rule do', () => {
  const on = { name: 'Done', contract: 'work', upcasters: [] }
  const run = (_: never, n: number) => n + 1
  const of = (ids: (data: { a: string; b: string }) => string[]): string =>
    rulesOfEntity({ version: 1, id: 'id', initial: 0, evolve: [{ on, run, ids }] } as never)
  assert.notEqual(
    of(({ a }) => [a]),
    of(({ b }) => [b]),
  )
})

test('a fingerprint stays the same while its format does', () => {
  // If these change, raise FORMAT in rule-fingerprint.ts, so that stored fingerprints give no warning.
  const evolve = [
    { on: { name: 'Done', contract: 'work', upcasters: [] }, run: (_: never, n: number) => n + 1 },
  ]
  const entity = { version: 1, id: 'id', initial: 0, evolve } as unknown
  assert.equal(rulesOfEntity(entity as never), '2:abb3f727a73c7808')
})
