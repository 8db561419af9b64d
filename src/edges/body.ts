import { digest } from '../base/text/digest.ts'

/** How the bodies of an external system are written. */
export interface BodyFormat {
  /** Returns plain data: what JSON can hold. What it throws makes the body a rejected one. */
  parse(body: Uint8Array): unknown
  /** Returns text, or bytes, that `parse` would read. */
  print(data: unknown): string | Uint8Array
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/** JSON in UTF-8, without blanks, in the order of the members: the default. */
export const json: BodyFormat = {
  parse: (body) => JSON.parse(utf8.decode(body)) as unknown,
  print: (data) => JSON.stringify(data),
}

/** A body as it is recorded: always text, and never more than fits into one message. */
export interface RecordedBody {
  /** The body as it was on the wire. */
  readonly body: string
  /** Set where the body is no text, or has control characters: then it is recorded in base64. */
  readonly encoding?: 'base64'
  /** Set where only the beginning is recorded, with what the whole body was. */
  readonly cut?: { readonly bytes: number; readonly sha256: string }
}

/** How much of a body is recorded that is larger than an edge takes. */
const CUT_BYTES = 4_096
const SHA256_DIGITS = 64

/**
 * The body for the record. Text is kept as it is; anything that JSON would escape to six times its size,
 * or that is not UTF-8, is kept in base64, so that every body up to the limit of an edge fits.
 */
export function recordBody(body: Uint8Array, bytesMax: number): RecordedBody {
  if (body.length <= bytesMax) return encodeBody(body)
  const cut = { bytes: body.length, sha256: digest(body, SHA256_DIGITS) }
  return { ...encodeBody(body.subarray(0, CUT_BYTES)), cut }
}

function encodeBody(bytes: Uint8Array): RecordedBody {
  const text = textOf(bytes)
  // oxlint-disable-next-line no-control-regex
  if (text !== undefined && !/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text))
    return { body: text }
  return { body: Buffer.from(bytes).toString('base64'), encoding: 'base64' }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = utf8.decode(bytes)
    // The decoder drops a byte order mark, which was on the wire.
    return encoder.encode(text).length === bytes.length ? text : undefined
  } catch {
    return undefined
  }
}

export const toBytes = (printed: string | Uint8Array): Uint8Array =>
  typeof printed === 'string' ? encoder.encode(printed) : printed
