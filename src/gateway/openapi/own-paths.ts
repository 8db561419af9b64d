import type { JsonSchema } from '../routing/schema.ts'

// The OpenAPI parts of the paths that every gateway serves.

const OPERATION: JsonSchema = { $ref: '#/components/schemas/Operation' }
const PROBLEM: JsonSchema = { $ref: '#/components/responses/Problem' }
const TEXT: JsonSchema = { type: 'string' }
const COMPLAINT: JsonSchema = {
  type: 'object',
  required: ['path', 'message'],
  properties: { path: TEXT, message: TEXT },
}

export const GATEWAY_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Accepted: {
    type: 'object',
    required: ['id', 'status', 'operation'],
    properties: {
      id: { type: 'string', description: 'The id of the command and of its operation.' },
      status: { const: 'pending' },
      operation: { type: 'string', description: 'The path of the operation.' },
    },
  },
  Operation: {
    type: 'object',
    required: ['id', 'status', 'command'],
    properties: {
      id: TEXT,
      status: {
        type: 'string',
        description:
          '`pending`, `completed`, `refused`, `failed` if its command is a dead letter, which a ' +
          'redrive can still decide, or the outcome of a saga.',
      },
      isAccepted: {
        type: 'boolean',
        description: 'For a pending operation: whether its command was decided.',
      },
      isProjected: {
        type: 'boolean',
        description: 'With `until=projected`: whether projections have folded what it published.',
      },
      reason: {
        type: 'string',
        description: 'Why the command has failed, or the reason of the outcome of a saga.',
      },
      code: {
        type: 'string',
        description:
          'The refusal code, if the command was refused; the code of the error, if it has failed ' +
          'with an error that has one.',
      },
      issues: { type: 'array', items: COMPLAINT },
      command: { type: 'string', description: 'The wire name of the command.' },
    },
  },
  Problem: {
    type: 'object',
    required: ['type', 'title', 'status', 'detail', 'code', 'issues', 'ids'],
    properties: {
      type: { type: 'string', format: 'uri' },
      title: TEXT,
      status: { type: 'integer', minimum: 400, maximum: 599 },
      detail: TEXT,
      code: { type: 'string', description: 'A stable code for programs.' },
      issues: {
        type: 'array',
        items: COMPLAINT,
      },
      ids: { type: 'object', additionalProperties: TEXT },
    },
  },
}

export const GATEWAY_RESPONSES: Readonly<Record<string, JsonSchema>> = {
  Accepted: {
    description: 'The command is stored. The operation shows its outcome.',
    headers: {
      Location: { description: 'The path of the operation.', schema: TEXT },
      'Idempotency-Replayed': {
        description: '`true` if a command with this key was stored before.',
        schema: TEXT,
      },
    },
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Accepted' } } },
  },
  Problem: {
    description: 'Problem details (RFC 9457).',
    headers: {
      'Retry-After': { description: 'Seconds to wait before a retry.', schema: TEXT },
    },
    content: {
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    },
  },
}

export const GATEWAY_PATHS: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>> = {
  '/operations/{id}': {
    get: {
      operationId: 'throughline.FindOperation',
      summary: 'Get the state of a command.',
      tags: ['operations'],
      parameters: [
        { name: 'id', in: 'path', required: true, schema: TEXT },
        {
          name: 'wait',
          in: 'query',
          required: false,
          description: 'Answer once the operation has reached `until`, or after this many seconds.',
          schema: { type: 'integer', minimum: 0, maximum: 60 },
        },
        {
          name: 'until',
          in: 'query',
          required: false,
          description: 'The state of the operation to wait for.',
          schema: { enum: ['accepted', 'projected', 'settled'], default: 'settled' },
        },
      ],
      responses: {
        200: {
          description: 'The current state; as an event stream, every change until it is settled.',
          content: {
            'application/json': { schema: OPERATION },
            'text/event-stream': { schema: TEXT },
          },
        },
        400: PROBLEM,
        404: PROBLEM,
        500: PROBLEM,
        502: PROBLEM,
        503: PROBLEM,
        508: PROBLEM,
      },
    },
  },
  '/openapi.json': {
    get: {
      operationId: 'throughline.Describe',
      summary: 'Get this document.',
      tags: ['operations'],
      responses: {
        200: {
          description: 'The OpenAPI 3.1 document.',
          content: { 'application/json': { schema: { type: 'object' } } },
        },
      },
    },
  },
}
