import { Fault } from '../base/fault.ts'
import { thrownText } from '../base/thrown.ts'
import type { Earlier, MessageType, RefusalData } from './message.ts'
import { complaintsOfForm, normalForm } from './normal-form.ts'
import type { Parsed } from './parse.ts'
import { parse } from './parse.ts'
import { MESSAGE_SHAPE } from './shape.ts'

/**
 * Stored data as the rules of today know it: each `up` on the way is handed what the version before
 * gave, and the schema of the next version checks and completes what it made. Data of the version
 * that the type has is handed back as it is. A refusal is as old as the command that it holds.
 *
 * @throws Fault `MESSAGE_NEWER`, and `UPCAST_FAILED` with all complaints of the step that failed
 */
export function upcast(type: MessageType, data: unknown, version = 1): unknown {
  if (version === type.version) return data
  if (version > type.version)
    throw new Fault('MESSAGE_NEWER', {
      detail: `${type.wire} of version ${version}, and the code has version ${type.version}`,
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
        detail: `${detail}: up threw: ${thrownText(cause)}`,
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

/** An upcast that fails has one code, also where the schema is at fault. */
function parsedAs(schema: MessageType['schema'], detail: string, made: unknown): Parsed {
  try {
    return parse(schema, detail, made)
  } catch (cause) {
    throw new Fault('UPCAST_FAILED', { detail: `${detail}: ${thrownText(cause)}`, cause })
  }
}
