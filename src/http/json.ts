import { LIMITS } from '../base/limits.ts'
import type { HttpBody } from './body.ts'
import { readBody } from './body.ts'
import { isFromOtherSite } from './other-site.ts'
import { problem } from './problem.ts'

/** A JSON body, or the problem to answer with. */
export type JsonBody =
  | { readonly status: 'read'; readonly value: unknown }
  | { readonly status: 'absent' }
  | { readonly status: 'refused'; readonly answer: Response }

export const BODY_BYTES_MAX: number = LIMITS.dataBytesMax

/** `application/json`, or a type with the suffix `+json`. */
const JSON_TYPE = /^application\/(?:json|[\w.!#$&^-]+\+json)$/i

const decoder = new TextDecoder('utf-8', { fatal: true })
const ABSENT: JsonBody = { status: 'absent' }
/** Without a CORS preflight, a page can send an empty body to another site, but no JSON type. */
const CROSS_ORIGIN = { detail: 'send the content type application/json' }

/**
 * Reads a JSON body of at most `bytesMax` bytes (default 1 MiB). Problems never quote the body. An
 * empty body counts as absent, whatever its content type.
 */
export async function readJson(
  request: Request,
  bytesMax: number = BODY_BYTES_MAX,
): Promise<JsonBody> {
  const type = request.headers.get('content-type')
  const isJson = (type === 'application/json' || isJsonType(type)) && !isEncoded(request)
  const limit = isJson ? bytesMax : 0
  const length = request.headers.get('content-length')
  const isTooLong = length !== null && Number(length) > limit
  const body: HttpBody = isTooLong ? { status: 'too-large' } : await readBody(request, limit)
  // Nobody reads this answer.
  if (body.status === 'gone')
    return refused(problem('REQUEST_SLOW', { detail: 'the client disconnected' }))
  if (body.status === 'too-large' && !isJson) {
    const detail = 'send the body as application/json, in UTF-8 and not compressed'
    return refused(problem('MEDIA_TYPE_UNSUPPORTED', { detail }))
  }
  if (body.status === 'too-large') {
    const detail = `the limit is ${bytesMax} bytes`
    return refused(problem('BODY_TOO_LARGE', { detail, headers: { connection: 'close' } }))
  }
  if (body.bytes.length === 0)
    return !isJson && isFromOtherSite(request)
      ? refused(problem('ORIGIN_REFUSED', CROSS_ORIGIN))
      : ABSENT
  let text: string
  try {
    text = decoder.decode(body.bytes)
  } catch {
    return refused(problem('BODY_MALFORMED', { detail: 'the body is not UTF-8' }))
  }
  try {
    return { status: 'read', value: JSON.parse(text) }
  } catch {
    const detail =
      text.trim() === '' ? 'the body is empty' : `syntax error at character ${syntaxErrorAt(text)}`
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
/** The first character that JSON strings may contain unescaped. */
const FIRST_PRINTABLE = ' '

/** Scans a text from the position `at`; each method consumes what it matches. */
interface Reader {
  at: number
  take(pattern: RegExp): boolean
  /** Consumes one character, after any white space. */
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
 * The position of the first syntax error in a JSON text, counted from 1. The message of `JSON.parse`
 * is no use here: for short texts it lacks the position and quotes the text.
 */
export function syntaxErrorAt(text: string): number {
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
    if (!continues(reader, closers, takeName)) break
  }
  return reader.at + 1
}

/** Consumes closing brackets after a value; returns whether another value must follow. */
function continues(reader: Reader, closers: string[], takeName: () => boolean): boolean {
  for (let closer = closers.at(-1); closer !== undefined; closer = closers.at(-1)) {
    if (reader.takeOne(closer)) closers.pop()
    else return reader.takeOne(',') && (closer !== '}' || takeName())
  }
  reader.take(SPACE)
  return false
}
