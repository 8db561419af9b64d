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
    'a former name that is used anew has an id of its own': [
      [{ name: 'a' }, { name: 'b' }],
      [known('a', 'a', 'b')],
      { a: 'a.2', b: 'a' },
    ],
  }

describe('ids', () => {
  for (const [name, [named, stored, ids]] of Object.entries(CASES))
    test(name, () => assert.deepEqual(fromEntries(idsFor(named, stored)), ids))

  test('what is stored under both names cannot become one, nor trade its names', () => {
    const both = [known('a', 'a'), known('b', 'b')]
    assert.equal(isStoredTwice(was('b', 'a'), both), true)
    assert.equal(isStoredTwice(was('b', 'a'), [known('a', 'a', 'b'), known('a.2', 'a')]), false)
    assert.equal(isStoredTwice(was('b', 'a'), [known('a', 'a')]), false)
  })
})
