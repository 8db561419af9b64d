import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KnownNames, Named } from './stored-names.ts'
import { idsFor, isStoredTwice } from './stored-names.ts'

const known = (id: string, ...names: readonly string[]): KnownNames => ({ id, names })
const was = (name: string, renamedFrom: string): Named => ({ name, renamedFrom })
const { fromEntries } = Object

/** What code says, what is stored, and the ids. */
const CASES: Readonly<Record<string, readonly [readonly Named[], readonly KnownNames[], object]>> =
  {
    'a new name is its own id': [[{ name: 'a' }], [], { a: 'a' }],
    'renamedFrom takes over what is stored': [[was('b', 'a')], [known('a', 'a')], { b: 'a' }],
    'renamedFrom of what is not there is no more than a new name': [
      [was('b', 'a')],
      [],
      { b: 'b' },
    ],
    'a second renaming finds it by any name it had': [
      [was('c', 'b')],
      [known('a', 'a', 'b')],
      { c: 'a' },
    ],
    'a stored mapping needs no renamedFrom': [[{ name: 'b' }], [known('a', 'a', 'b')], { b: 'a' }],
    'former code works on the same rows': [[{ name: 'a' }], [known('a', 'a', 'b')], { a: 'a' }],
    'a name that is given away and used anew at once has an id of its own': [
      [{ name: 'a' }, was('b', 'a')],
      [known('a', 'a')],
      { a: 'a.2', b: 'a' },
    ],
    'two names that are swapped each keep what they have': [
      [was('b', 'a'), was('a', 'b')],
      [known('a', 'a'), known('b', 'b')],
      { a: 'b', b: 'a' },
    ],
    'a swap is made once': [
      [was('b', 'a'), was('a', 'b')],
      [known('a', 'a', 'b'), known('b', 'b', 'a')],
      { a: 'b', b: 'a' },
    ],
    'a swap needs no renamedFrom once it is stored': [
      [{ name: 'b' }, { name: 'a' }],
      [known('a', 'a', 'b'), known('b', 'b', 'a')],
      { a: 'b', b: 'a' },
    ],
    'names that go on in a row each keep what they have': [
      [was('b', 'a'), was('c', 'b'), was('a', 'c')],
      [known('a', 'a'), known('b', 'b'), known('c', 'c')],
      { a: 'c', b: 'a', c: 'b' },
    ],
    'after a swap a renaming is from the name of today': [
      [was('c', 'a'), { name: 'b' }],
      [known('a', 'a', 'b'), known('b', 'b', 'a')],
      { b: 'a', c: 'b' },
    ],
    'a former name that is used anew has an id of its own': [
      [{ name: 'a' }, { name: 'b' }],
      [known('a', 'a', 'b')],
      { a: 'a.2', b: 'a' },
    ],
  }

describe('ids', () => {
  for (const [name, [named, stored, ids]] of Object.entries(CASES))
    test(name, () => assert.deepEqual(fromEntries(idsFor(named, stored)), ids))

  test('what is stored under both names cannot become one', () => {
    const both = [known('a', 'a'), known('b', 'b')]
    const alone = [was('b', 'a')]
    assert.equal(isStoredTwice(was('b', 'a'), both, alone), true)
    const once = [known('a', 'a', 'b'), known('a.2', 'a')]
    assert.equal(isStoredTwice(was('b', 'a'), once, alone), false)
    assert.equal(isStoredTwice(was('b', 'a'), [known('a', 'a')], alone), false)
  })

  test('what is stored under both names can trade them', () => {
    const both = [known('a', 'a'), known('b', 'b')]
    const swapped = [was('b', 'a'), was('a', 'b')]
    for (const each of swapped) assert.equal(isStoredTwice(each, both, swapped), false)
    // Who claims the name has gone on with something else already.
    const apart = [known('a', 'a'), known('b', 'b', 'c'), known('b.2', 'b')]
    assert.equal(isStoredTwice(was('b', 'a'), apart, [was('b', 'a'), was('c', 'b')]), true)
  })
})
