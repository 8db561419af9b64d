import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FaultCode } from '../base/errors/fault.ts'
import { Fault, FAULTS } from '../base/errors/fault.ts'
import { problems } from './problem.ts'

interface ProblemBody {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly ids: Readonly<Record<string, string>>
}

const reported: [string, unknown][] = []
const problemOf = problems((id, cause) => void reported.push([id, cause]))
const bodyOf = async (cause: unknown) => (await problemOf(cause).json()) as ProblemBody

describe('a problem', () => {
  test('of a fault has its code, detail, issues and ids, and nothing else', async () => {
    const issues = [{ path: 'lines[0]', message: 'must be text' }]
    const fault = new Fault('MESSAGE_INVALID', {
      detail: 'a.B',
      issues,
      ids: { id: '1' },
    })
    assert.deepEqual(await bodyOf(fault), {
      type: 'urn:throughline:problem:MESSAGE_INVALID',
      title: FAULTS.MESSAGE_INVALID.meaning,
      status: 400,
      detail: 'a.B',
      code: 'MESSAGE_INVALID',
      issues,
      ids: { id: '1' },
    })
    assert.equal(problemOf(fault).headers.get('content-type'), 'application/problem+json')
  })

  test('of every fault has the status of its code, and Retry-After if it can be retried', async () => {
    const statuses: Partial<Record<FaultCode, number>> = {
      MESSAGE_INVALID: 400,
      DATA_READ_ONLY: 409,
      ID_CONFLICT: 409,
      STATUS_REFUSED: 409,
      BACKPRESSURE: 429,
      APP_STOPPING: 503,
      LOG_FULL: 503,
      LOG_UNKNOWN: 503,
      STORE_UNKNOWN: 503,
      EARLIER_NOT_STORED: 503,
      MESSAGE_NOT_FOUND: 404,
      OPERATION_NOT_FOUND: 404,
      OPTION_INVALID: 400,
      REWIND_REFUSED: 409,
      RULE_NOT_FOUND: 404,
      SERVICE_NOT_FOUND: 404,
      TOPIC_NOT_FOUND: 404,
      PROJECTION_NOT_FOUND: 404,
      QUERY_NOT_ANSWERED: 404,
    }
    for (const code of Object.keys(FAULTS) as FaultCode[]) {
      const answer = problemOf(new Fault(code, { detail: 'it' }))
      assert.equal(answer.status, statuses[code] ?? 500, code)
      const mayRetry = answer.status === 429 || answer.status === 503
      assert.equal(answer.headers.has('retry-after'), mayRetry, code)
      assert.equal(((await answer.json()) as { code: string }).code, code)
    }
  })

  test('of an archive names the missing or damaged file', async () => {
    const detail = 'archive/1.gz, which holds offsets 0 to 99 of shop.events/0'
    for (const code of ['ARCHIVE_MISSING', 'ARCHIVE_DAMAGED'] as const)
      assert.equal((await bodyOf(new Fault(code, { detail }))).detail, detail)
  })

  test('of any other error has only an id, under which the cause is reported', async () => {
    for (const cause of [new Error('secret'), 'secret', undefined, { secret: 1 }]) {
      reported.length = 0
      const { status, code, ids, detail } = await bodyOf(cause)
      assert.deepEqual([status, code], [500, 'INTERNAL'])
      assert.deepEqual(reported, [[ids['report'], cause]])
      assert.doesNotMatch(detail, /secret/)
    }
  })

  test('of a fault without a status hides its detail, and reports it', async () => {
    reported.length = 0
    const fault = new Fault('DATA_DAMAGED', { detail: '/home/secret' })
    const { status, code, detail } = await bodyOf(fault)
    assert.deepEqual([status, code], [500, 'DATA_DAMAGED'])
    assert.doesNotMatch(detail, /secret/)
    assert.equal(reported[0]?.[1], fault)
  })
})

test('without a hook, the same error is one warning, however many ids it is reported under', async () => {
  const warnings: string[] = []
  const listener = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', listener)
  const problemOf = problems()
  for (let count = 0; count < 150; count += 1) problemOf(new Error('the disk is gone'))
  problemOf(new Error('the store is gone'))
  await new Promise(setImmediate)
  process.off('warning', listener)
  assert.equal(warnings.length, 2)
  assert.match(warnings[0] ?? '', /^the disk is gone\n.*reported as \S+$/)
  assert.match(warnings[1] ?? '', /^the store is gone\n/)
})
