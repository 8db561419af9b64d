import { createHash, timingSafeEqual } from 'node:crypto'
import { problem } from './problem.ts'

/** Lets a request pass, or says why not. */
export type Guard = (request: Request) => Response | undefined

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i
const PORT = /:\d{1,5}$/

function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/**
 * Without a token only those on this machine may ask, and by a name of this machine: a page whose
 * name was made to point here (DNS rebinding) names itself in `Host`.
 */
function hostGuard(host: string): Guard {
  const own = host.toLowerCase()
  return ({ headers }) => {
    const named = headers.get('host') ?? ''
    const name = (
      named.startsWith('[') ? named.replace(/\]:\d{1,5}$/, ']') : named.replace(PORT, '')
    ).toLowerCase()
    if (isLoopback(name) || name === own) return undefined
    return problem('HOST_REFUSED', { detail: 'name it as localhost or 127.0.0.1' })
  }
}

const BEARER = /^Bearer +(\S+) *$/i

/** Every request carries the token; comparing takes as long for any other one. */
function tokenGuard(token: string): Guard {
  const expected = digest(token)
  return ({ headers }) => {
    const [, given = ''] = BEARER.exec(headers.get('authorization') ?? '') ?? []
    if (timingSafeEqual(digest(given), expected)) return undefined
    return problem('UNAUTHORIZED', {
      detail: 'send Authorization: Bearer with the token of this gateway',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}

/** Who may ask: whoever has the token, or, where there is none, this machine. */
export function guardOf(host: string, token: string | undefined): Guard {
  return token === undefined ? hostGuard(host) : tokenGuard(token)
}

/** Whether a host may be listened on: one that others reach needs a token. */
export function isAllowed(host: string, token: string | undefined): boolean {
  return token !== undefined || isLoopback(host)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
