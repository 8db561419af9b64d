import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { failureFrom } from './api.ts'

describe('an error answer is shown', () => {
  const shown = (status: number, problem: object | string): readonly string[] => {
    const text = typeof problem === 'string' ? problem : JSON.stringify(problem)
    const { reason, issues } = failureFrom({ status, statusText: 'Bad' }, text)
    return [reason, ...issues.map(({ path, message }) => `${path} ${message}`)]
  }

  test('with its title, its detail and every issue', () => {
    const issues = [
      { path: 'since', message: 'must be a whole number' },
      { path: 'limit', message: 'must be text' },
    ]
    assert.deepEqual(shown(400, { title: 'options are wrong', detail: 'operations', issues }), [
      'options are wrong: operations',
      'since must be a whole number',
      'limit must be text',
    ])
    const broken = { title: 'something broke here', detail: 'it was reported as 1', issues: [] }
    assert.deepEqual(shown(500, broken), ['something broke here: it was reported as 1'])
  })

  test('without repeating a detail that equals the title, and without missing parts', () => {
    assert.deepEqual(shown(403, { title: 'not from here', detail: 'not from here' }), [
      'not from here',
    ])
    assert.deepEqual(shown(404, { title: 'nothing' }), ['nothing'])
    assert.deepEqual(shown(502, '<html>'), ['Bad'])
    assert.deepEqual(shown(502, 'null'), ['Bad'])
  })
})
