// Checks of schemas at start: their behavior, and what their JSON Schema leaves open.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import type { AnyContract } from 'throughline'
import { contract, event, Fault, query, service } from 'throughline'
import * as v from 'valibot'
import { z } from 'zod'
import {
  findStoredIssues,
  findStoredWarnings,
  readStoredMessages,
} from '../../../src/engine/startup/compatibility.ts'
import { definitionOf } from '../../../src/contract/contract.ts'
import { withoutAnnotations, jsonSchemaOf } from '../../../src/contract/schema/json-schema.ts'
import { createVersionedStore } from '../support/code-versions.ts'

const nothing = async (): Promise<void> => undefined
const owning = (...owns: AnyContract[]) => service('owner', { owns, runs: [] })
const id = z.string()

async function complaintsOf(started: Promise<unknown>, code: string): Promise<readonly string[]> {
  try {
    await started
  } catch (cause) {
    assert.ok(cause instanceof Fault, String(cause))
    assert.equal(cause.code, code)
    return cause.issues.map(({ path, message }) => `${path}: ${message}`)
  }
  return []
}

describe('a start is refused', () => {
  test('if a schema is asynchronous or creates class instances, with all issues, before anything opens', async () => {
    const { stage, run } = createVersionedStore()
    const at = z.iso.datetime().transform((text) => new Date(text))
    const One = contract(
      'one',
      { key: 'id' },
      {
        Late: event(z.object({ id: id.refine(async () => true) })),
        Dated: event(z.object({ id, at: z.date() })),
        Made: event(z.object({ id, at }), {
          upcasters: [[z.object({ id, at }), (old) => old as never]],
        }),
        Fine: event(z.object({ id })),
        Asked: query(z.object({ id }), { answers: z.object({ at }) }),
      },
    )
    const makes =
      'is converted to a value that JSON does not have: must be plain data, not an instance of a class'
    assert.deepEqual(await complaintsOf(run(owning(One), nothing), 'SCHEMA_INVALID'), [
      'one.Late: its schema is asynchronous, but messages are validated synchronously: do asynchronous checks in a handler',
      'one.Dated, at: must be a Date, which JSON does not have',
      `one.Made version 1, at: ${makes}`,
      `one.Made, at: ${makes}`,
      `the answer to one.Asked, at: ${makes}`,
    ])
    await assert.rejects(
      stage.clock.until(readStoredMessages(stage.backend.store)),
      'nothing was opened',
    )
  })

  test('if a JSON Schema refers to another document, which can never be compared', async () => {
    const { run } = createVersionedStore()
    const json = { type: 'object', properties: { id: { $ref: 'http://x/id.json' } } }
    const jsonSchema = { input: () => json, output: () => json }
    const validate = (value: unknown): { value: unknown } => ({ value })
    const schema = { '~standard': { version: 1, vendor: 'test', validate, jsonSchema } }
    const One = contract('one', { key: 'id' }, { Told: event(schema as unknown as typeof Id) })
    assert.deepEqual(await complaintsOf(run(owning(One), nothing), 'CONTRACT_INCOMPATIBLE'), [
      'one.Told: its JSON Schema contains a reference to another document: move the referenced schema into its own $defs',
    ])
  })

  test('if a field has a default now that stored messages lack, whatever the library states', async () => {
    const { run } = createVersionedStore()
    const paid = (currency: v.GenericSchema<string | undefined, string | undefined>) =>
      toStandardJsonSchema(v.strictObject({ id: v.string(), currency }))
    const Till = (schema: unknown) =>
      contract('till', { key: 'id' }, { Paid: event(schema as typeof Id) })
    await run(owning(Till(paid(v.optional(v.string())))), nothing)
    assert.deepEqual(
      await complaintsOf(
        run(owning(Till(paid(v.optional(v.string(), 'EUR')))), nothing),
        'CONTRACT_INCOMPATIBLE',
      ),
      ['till.Paid, currency: could be left out, and must be there now'],
    )
  })
})

const Id = z.object({ id })

test('a schema stored as its library states it stays compatible, and is stored again as verified', async () => {
  const { stage, run } = createVersionedStore()
  const schema = toStandardJsonSchema(v.looseObject({ id: v.string() }))
  const Till = contract('till', { key: 'id' }, { Paid: event(schema) })
  const stated = jsonSchemaOf(schema, 'output')
  assert.ok(stated)
  const former = { version: 1, since: 7, schema: withoutAnnotations(stated) }
  const told = { contract: 'till', name: 'Paid', kind: 'event', wire: 'till.Paid' } as const
  const stored = [{ ...told, schemas: [former] }]
  assert.deepEqual(findStoredIssues([definitionOf(Till)], stored), [])
  const Other = contract('till', { key: 'id' }, { Paid: event(z.object({ id: z.int() }) as never) })
  assert.equal(findStoredIssues([definitionOf(Other)], stored).length, 1)
  await run(owning(Till), nothing)
  const [kept] = await stage.clock.until(readStoredMessages(stage.backend.store))
  assert.deepEqual(
    kept?.schemas.map(({ isProbed, schema: json }) => [isProbed, json?.['additionalProperties']]),
    [[true, {}]],
  )
})

test('a message that rejects generated data gets a warning: only what its library states is compared', () => {
  const secret = z.object({ id: id.refine((text) => text === 'a secret') })
  const Till = contract('till', { key: 'id' }, { Paid: event(secret), Plain: event(Id) })
  const stored = ['Paid', 'Plain'].map((name) => {
    const schemas = [{ version: 1, since: 7, schema: {}, isProbed: true }]
    return { contract: 'till', name, kind: 'event', wire: `till.${name}`, schemas } as const
  })
  assert.deepEqual(findStoredWarnings([definitionOf(Till)], stored), [
    {
      path: 'till.Paid',
      message:
        'rejects generated data, so only the JSON Schema of its library is compared: add examples to it',
    },
  ])
})
