import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KnownNames, NamedInCode } from './stored-names.ts'
import { assignIds, isStoredTwice } from './stored-names.ts'

const known = (id: string, ...names: readonly string[]): KnownNames => ({ id, names })
const was = (name: string, renamedFrom: string): NamedInCode => ({ name, renamedFrom })
const { fromEntries } = Object

/** What code says, what is stored, and the ids. */
const CASES: Readonly<
  Record<string, readonly [readonly NamedInCode[], readonly KnownNames[], object]>
> = {
  'a new name is its own id': [[{ name: 'a' }], [], { a: 'a' }],
  'renamedFrom takes over what is stored': [[was('b', 'a')], [known('a', 'a')], { b: 'a' }],
  'renamedFrom an unknown name is a new name': [[was('b', 'a')], [], { b: 'b' }],
  'a second rename finds it by any former name': [
    [was('c', 'b')],
    [known('a', 'a', 'b')],
    { c: 'a' },
  ],
  'a stored mapping needs no renamedFrom': [[{ name: 'b' }], [known('a', 'a', 'b')], { b: 'a' }],
  'old code works on the same rows': [[{ name: 'a' }], [known('a', 'a', 'b')], { a: 'a' }],
  'a name that is passed on and reused at once gets an id of its own': [
    [{ name: 'a' }, was('b', 'a')],
    [known('a', 'a')],
    { a: 'a.2', b: 'a' },
  ],
  'swapped names each keep their data': [
    [was('b', 'a'), was('a', 'b')],
    [known('a', 'a'), known('b', 'b')],
    { a: 'b', b: 'a' },
  ],
  'a swap happens once': [
    [was('b', 'a'), was('a', 'b')],
    [known('a', 'a', 'b'), known('b', 'b', 'a')],
    { a: 'b', b: 'a' },
  ],
  'a swap needs no renamedFrom once it is stored': [
    [{ name: 'b' }, { name: 'a' }],
    [known('a', 'a', 'b'), known('b', 'b', 'a')],
    { a: 'b', b: 'a' },
  ],
  'names passed on in a chain each keep their data': [
    [was('b', 'a'), was('c', 'b'), was('a', 'c')],
    [known('a', 'a'), known('b', 'b'), known('c', 'c')],
    { a: 'c', b: 'a', c: 'b' },
  ],
  'after a swap a rename starts from the current name': [
    [was('c', 'a'), { name: 'b' }],
    [known('a', 'a', 'b'), known('b', 'b', 'a')],
    { b: 'a', c: 'b' },
  ],
  'a reused former name gets an id of its own': [
    [{ name: 'a' }, { name: 'b' }],
    [known('a', 'a', 'b')],
    { a: 'a.2', b: 'a' },
  ],
}

describe('ids', () => {
  for (const [name, [named, stored, ids]] of Object.entries(CASES))
    test(name, () => assert.deepEqual(fromEntries(assignIds(named, stored)), ids))

  test('two stored names cannot become one', () => {
    const both = [known('a', 'a'), known('b', 'b')]
    const alone = [was('b', 'a')]
    assert.equal(isStoredTwice(was('b', 'a'), both, alone), true)
    const once = [known('a', 'a', 'b'), known('a.2', 'a')]
    assert.equal(isStoredTwice(was('b', 'a'), once, alone), false)
    assert.equal(isStoredTwice(was('b', 'a'), [known('a', 'a')], alone), false)
  })

  test('two stored names can be swapped', () => {
    const both = [known('a', 'a'), known('b', 'b')]
    const swapped = [was('b', 'a'), was('a', 'b')]
    for (const each of swapped) assert.equal(isStoredTwice(each, both, swapped), false)
    // Who claims the name has gone on with something else already.
    const apart = [known('a', 'a'), known('b', 'b', 'c'), known('b.2', 'b')]
    assert.equal(isStoredTwice(was('b', 'a'), apart, [was('b', 'a'), was('c', 'b')]), true)
  })
})
