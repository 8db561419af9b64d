import { Fault } from '../base/errors/fault.ts'
import { thrownMessage } from '../base/errors/thrown-error.ts'
import type { Upcaster, MessageType, RefusalData } from './message.ts'
import { normalFormIssues, toNormalForm } from './data/normal-form.ts'
import type { ParseResult } from './schema/parse.ts'
import { parseWithSchema } from './schema/parse.ts'
import { MESSAGE_SHAPE_LIMITS } from './data/shape.ts'

/**
 * Converts stored data to the current version: each upcaster takes the data of its version, and the
 * schema of the next version validates and completes the result. Data of the current version is
 * returned unchanged. In a refusal, the command that it contains is converted.
 *
 * @throws Fault `MESSAGE_NEWER`, and `UPCAST_FAILED` with all issues of the step that failed
 */
export function upcast(type: MessageType, data: unknown, version = 1): unknown {
  if (version === type.version) return data
  if (version > type.version)
    throw new Fault('MESSAGE_NEWER', {
      detail: `${type.wire} has version ${version}, and the code knows version ${type.version}`,
    })
  if (type.kind !== 'refusal') return upcastStepwise(type, data, version)
  const refusal = data as RefusalData<unknown, string>
  return { ...refusal, command: upcastStepwise(type, refusal?.command, version) }
}

function upcastStepwise(
  { wire, schema, upcasters }: MessageType,
  data: unknown,
  version: number,
): unknown {
  let value = data
  for (let at = version; at <= upcasters.length; at += 1) {
    const [, upcastStep] = upcasters[at - 1] as Upcaster
    const detail = `${wire} from version ${at} to ${at + 1}`
    let made: unknown
    try {
      made = upcastStep(value as never)
    } catch (cause) {
      throw new Fault('UPCAST_FAILED', {
        detail: `${detail}: the upcaster threw: ${thrownMessage(cause)}`,
        cause,
      })
    }
    const parsed = parseUpcast(upcasters[at]?.[0] ?? schema, detail, made)
    if (parsed.status === 'invalid')
      throw new Fault('UPCAST_FAILED', { detail, issues: parsed.issues })
    value = parsed.value
  }
  const form = toNormalForm(value, MESSAGE_SHAPE_LIMITS)
  if (form) return form.value
  const issues = normalFormIssues(value, MESSAGE_SHAPE_LIMITS)
  throw new Fault('UPCAST_FAILED', { detail: wire, issues })
}

/** Maps a fault of the schema to `UPCAST_FAILED`, too. */
function parseUpcast(schema: MessageType['schema'], detail: string, made: unknown): ParseResult {
  try {
    return parseWithSchema(schema, detail, made)
  } catch (cause) {
    throw new Fault('UPCAST_FAILED', { detail: `${detail}: ${thrownMessage(cause)}`, cause })
  }
}
