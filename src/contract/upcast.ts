import { Fault } from '../base/fault.ts'
import { thrownText } from '../base/thrown.ts'
import type { Earlier, MessageType, RefusalData } from './message.ts'
import { complaintsOfForm, normalForm } from './normal-form.ts'
import type { Parsed } from './parse.ts'
import { parse } from './parse.ts'
import { MESSAGE_SHAPE } from './shape.ts'

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
  if (type.kind !== 'refusal') return climb(type, data, version)
  const refusal = data as RefusalData<unknown, string>
  return { ...refusal, command: climb(type, refusal?.command, version) }
}

function climb({ wire, schema, was }: MessageType, data: unknown, version: number): unknown {
  let value = data
  for (let at = version; at <= was.length; at += 1) {
    const [, up] = was[at - 1] as Earlier
    const detail = `${wire} from version ${at} to ${at + 1}`
    let made: unknown
    try {
      made = up(value as never)
    } catch (cause) {
      throw new Fault('UPCAST_FAILED', {
        detail: `${detail}: the upcaster threw: ${thrownText(cause)}`,
        cause,
      })
    }
    const parsed = parsedAs(was[at]?.[0] ?? schema, detail, made)
    if (parsed.is === 'rejected')
      throw new Fault('UPCAST_FAILED', { detail, complaints: parsed.complaints })
    value = parsed.value
  }
  const form = normalForm(value, MESSAGE_SHAPE)
  if (form) return form.value
  const complaints = complaintsOfForm(value, MESSAGE_SHAPE)
  throw new Fault('UPCAST_FAILED', { detail: wire, complaints })
}

/** Maps a fault of the schema to `UPCAST_FAILED`, too. */
function parsedAs(schema: MessageType['schema'], detail: string, made: unknown): Parsed {
  try {
    return parse(schema, detail, made)
  } catch (cause) {
    throw new Fault('UPCAST_FAILED', { detail: `${detail}: ${thrownText(cause)}`, cause })
  }
}
