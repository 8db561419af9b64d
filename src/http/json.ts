import { LIMITS } from '../base/limits.ts'
import type { HttpBody } from './body.ts'
import { readBody } from './body.ts'
import { isFromOtherSite } from './other-site.ts'
import { problem } from './problem.ts'

/** A JSON body, or the answer that says why there is none. */
export type JsonBody =
  | { readonly status: 'read'; readonly value: unknown }
  | { readonly status: 'absent' }
  | { readonly status: 'refused'; readonly answer: Response }

export const BODY_BYTES_MAX: number = LIMITS.dataBytesMax

/** `application/json`, or a type with the suffix `+json`. */
const JSON_TYPE = /^application\/(?:json|[\w.!#$&^-]+\+json)$/i

const decoder = new TextDecoder('utf-8', { fatal: true })
const ABSENT: JsonBody = { status: 'absent' }
/** A page may send nothing to another site without asking first, but never a type of JSON. */
const OTHER_SITE = { detail: 'send it with the content type application/json' }

/**
 * Reads a body of JSON, of at most `bytesMax` bytes (default 1 MiB). Nothing of it is echoed. An
 * empty body is an absent one, whatever its content type.
 */
export async function readJson(
  request: Request,
  bytesMax: number = BODY_BYTES_MAX,
): Promise<JsonBody> {
  const type = request.headers.get('content-type')
  const isJson = (type === 'application/json' || isJsonType(type)) && !isEncoded(request)
  const most = isJson ? bytesMax : 0
  const length = request.headers.get('content-length')
  const isTooLong = length !== null && Number(length) > most
  const body: HttpBody = isTooLong ? { status: 'too-large' } : await readBody(request, most)
  // Nobody is there to read it.
  if (body.status === 'gone')
    return refused(problem('REQUEST_SLOW', { detail: 'the client has left' }))
  if (body.status === 'too-large' && !isJson) {
    const detail = 'send it with the content type application/json, in UTF-8 and not compressed'
    return refused(problem('MEDIA_TYPE_UNSUPPORTED', { detail }))
  }
  if (body.status === 'too-large') {
    const detail = `it may have ${bytesMax} bytes`
    return refused(problem('BODY_TOO_LARGE', { detail, headers: { connection: 'close' } }))
  }
  if (body.bytes.length === 0)
    return !isJson && isFromOtherSite(request)
      ? refused(problem('ORIGIN_REFUSED', OTHER_SITE))
      : ABSENT
  let text: string
  try {
    text = decoder.decode(body.bytes)
  } catch {
    return refused(problem('BODY_MALFORMED', { detail: 'it is not UTF-8' }))
  }
  try {
    return { status: 'read', value: JSON.parse(text) }
  } catch {
    const detail = text.trim() === '' ? 'it is empty' : `see character ${flawAt(text)}`
    return refused(problem('BODY_MALFORMED', { detail }))
  }
}

function refused(answer: Response): JsonBody {
  return { status: 'refused', answer }
}

function isEncoded(request: Request): boolean {
  const encoding = request.headers.get('content-encoding')?.toLowerCase() ?? 'identity'
  return encoding !== 'identity' && encoding !== ''
}

function isJsonType(type: string | null): boolean {
  const [essence = '', ...parameters] = (type ?? '').split(';')
  const charset = parameters
    .map((each) => each.trim().toLowerCase())
    .find((each) => each.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  return isUtf8 && JSON_TYPE.test(essence.trim())
}

const SPACE = /[ \t\n\r]*/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
/** The first character that a JSON text may hold as it is. */
const FIRST_PRINTABLE = ' '

/** A place in a text that is read as JSON, and what may be taken from there. */
interface Reader {
  at: number
  take(pattern: RegExp): boolean
  /** One character, after any space. */
  takeOne(expected: string): boolean
  takeText(): boolean
}

function readerOf(text: string): Reader {
  const reader: Reader = {
    at: 0,
    take(pattern) {
      pattern.lastIndex = reader.at
      if (!pattern.test(text)) return false
      reader.at = pattern.lastIndex
      return true
    },
    takeOne(expected) {
      reader.take(SPACE)
      if (text[reader.at] !== expected) return false
      reader.at += 1
      return true
    },
    takeText() {
      if (!reader.takeOne('"')) return false
      for (;;) {
        const character = text[reader.at]
        if (character === undefined || character < FIRST_PRINTABLE) return false
        if (character === '\\') {
          if (!reader.take(ESCAPE)) return false
        } else reader.at += 1
        if (character === '"') return true
      }
    },
  }
  return reader
}

/**
 * Where text stops being JSON, counted from 1. The machine's own message is no help: it leaves the
 * place out of short texts, and puts the text itself into them.
 */
export function flawAt(text: string): number {
  const reader = readerOf(text)
  const closers: string[] = []
  const takeName = (): boolean => reader.takeText() && reader.takeOne(':')
  for (;;) {
    const closer = reader.takeOne('[') ? ']' : reader.takeOne('{') ? '}' : undefined
    if (closer !== undefined && !reader.takeOne(closer)) {
      closers.push(closer)
      if (closer === '}' && !takeName()) break
      continue
    }
    if (closer === undefined) {
      const isTaken = text[reader.at] === '"' ? reader.takeText() : reader.take(SCALAR)
      if (!isTaken) break
    }
    if (!goesOn(reader, closers, takeName)) break
  }
  return reader.at + 1
}

/** Behind a value: closes what is closed; whether another value must follow. */
function goesOn(reader: Reader, closers: string[], takeName: () => boolean): boolean {
  for (let closer = closers.at(-1); closer !== undefined; closer = closers.at(-1)) {
    if (reader.takeOne(closer)) closers.pop()
    else return reader.takeOne(',') && (closer !== '}' || takeName())
  }
  reader.take(SPACE)
  return false
}
