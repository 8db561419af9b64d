import type { JsonSchema } from './schema.ts'

// What every gateway serves by itself, as its description tells it.

const OPERATION: JsonSchema = { $ref: '#/components/schemas/Operation' }
const PROBLEM: JsonSchema = { $ref: '#/components/responses/Problem' }
const TEXT: JsonSchema = { type: 'string' }

export const OWN_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Accepted: {
    type: 'object',
    required: ['id', 'is', 'operation'],
    properties: {
      id: { type: 'string', description: 'The id of the message, and of its operation.' },
      is: { const: 'pending' },
      operation: { type: 'string', description: 'The path that tells what becomes of it.' },
    },
  },
  Operation: {
    type: 'object',
    required: ['id', 'is', 'command'],
    properties: {
      id: TEXT,
      is: {
        type: 'string',
        description: '`pending`, `completed`, `refused`, or as a saga has finished.',
      },
      isAccepted: {
        type: 'boolean',
        description: 'Of a pending one: whether its command was decided.',
      },
      isProjected: {
        type: 'boolean',
        description: 'With `until=projected`: whether projections have folded what it published.',
      },
      reason: TEXT,
      code: { type: 'string', description: 'The code of a refusal.' },
      complaints: { type: 'array', items: TEXT },
      command: { type: 'string', description: 'The wire name of the command.' },
    },
  },
  Problem: {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code', 'complaints', 'ids'],
    properties: {
      type: { type: 'string', format: 'uri' },
      title: TEXT,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: TEXT,
      code: { type: 'string', description: 'Stable; for programs.' },
      complaints: {
        type: 'array',
        items: {
          type: 'object',
          required: ['path', 'message'],
          properties: { path: TEXT, message: TEXT },
        },
      },
      ids: { type: 'object', additionalProperties: TEXT },
    },
  },
}

export const OWN_RESPONSES: Readonly<Record<string, JsonSchema>> = {
  Accepted: {
    description: 'It is stored. Its operation tells what becomes of it.',
    headers: {
      Location: { description: 'The path of its operation.', schema: TEXT },
      'Idempotency-Replayed': {
        description: '`true` where this key was sent before.',
        schema: TEXT,
      },
    },
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Accepted' } } },
  },
  Problem: {
    description: 'A problem, by RFC 9457.',
    headers: {
      'Retry-After': { description: 'When to come again, in seconds.', schema: TEXT },
    },
    content: {
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    },
  },
}

export const OWN_PATHS: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>> = {
  '/operations/{id}': {
    get: {
      operationId: 'throughline.FindOperation',
      summary: 'What became of a command.',
      tags: ['operations'],
      parameters: [
        { name: 'id', in: 'path', required: true, schema: TEXT },
        {
          name: 'wait',
          in: 'query',
          required: false,
          description: 'Answers once it has come so far, or after so many seconds.',
          schema: { type: 'integer', minimum: 0, maximum: 60 },
        },
        {
          name: 'until',
          in: 'query',
          required: false,
          description: 'What to wait for.',
          schema: { enum: ['accepted', 'projected', 'settled'], default: 'settled' },
        },
      ],
      responses: {
        200: {
          description: 'As it stands; as a stream, each change until it is settled.',
          content: {
            'application/json': { schema: OPERATION },
            'text/event-stream': { schema: TEXT },
          },
        },
        400: PROBLEM,
        404: PROBLEM,
        500: PROBLEM,
        503: PROBLEM,
      },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'throughline.Describe',
      summary: 'This document.',
      tags: ['operations'],
      responses: {
        200: {
          description: 'OpenAPI 3.1.',
          content: { 'application/json': { schema: { type: 'object' } } },
        },
      },
    },
  },
}
