import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TOKEN_BYTES = 32
const TOKEN_PATTERN = /^[\w-]{43}$/

/** The token file of a data directory, readable only by its user. */
const tokenFile = (directory: string): string => join(directory, 'token')

/** Creates a random token. */
export function createToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** The token of a data directory; created on the first start. */
export function ensureToken(directory: string): string {
  const known = readToken(directory)
  if (known !== undefined) return known
  const token = createToken()
  writeFileSync(tokenFile(directory), `${token}\n`, { mode: 0o600 })
  return token
}

/** The token of a data directory; `undefined` if there is none or this user cannot read it. */
export function readToken(directory: string): string | undefined {
  let handle: number
  try {
    handle = openSync(tokenFile(directory), 'r')
  } catch {
    return undefined
  }
  try {
    if (!fstatSync(handle).isFile()) return undefined
    const text = readFileSync(handle, 'utf8').trim()
    return TOKEN_PATTERN.test(text) ? text : undefined
  } finally {
    closeSync(handle)
  }
}

/** Compares tokens in constant time. */
export function isSameToken(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}
