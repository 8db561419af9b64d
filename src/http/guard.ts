import { createHash, timingSafeEqual } from 'node:crypto'
import { problem } from './problem.ts'

/** Returns `undefined` if a request is allowed, otherwise the problem to answer with. */
export type Guard = (request: Request) => Response | undefined

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i
const PORT = /:\d{1,5}$/

function isLoopback(host: string): boolean {
  return LOOPBACK.test(host)
}

/**
 * Without a token, `Host` must name this machine. This stops DNS rebinding: a website whose name
 * resolves to this machine sends its own name in `Host`.
 */
function hostGuard(host: string): Guard {
  const ownName = host.toLowerCase()
  return ({ headers }) => {
    const named = headers.get('host') ?? ''
    const name = (
      named.startsWith('[') ? named.replace(/\]:\d{1,5}$/, ']') : named.replace(PORT, '')
    ).toLowerCase()
    if (isLoopback(name) || name === ownName) return undefined
    return problem('HOST_REFUSED', { detail: 'use localhost or 127.0.0.1 in the URL' })
  }
}

const BEARER = /^Bearer +(\S+) *$/i

/** Requires the bearer token, and compares it in constant time. */
function tokenGuard(token: string): Guard {
  const expected = digest(token)
  return ({ headers }) => {
    const [, given = ''] = BEARER.exec(headers.get('authorization') ?? '') ?? []
    if (timingSafeEqual(digest(given), expected)) return undefined
    return problem('UNAUTHORIZED', {
      detail: 'send the token of this server as Authorization: Bearer',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}

/** The guard of a server: by token if there is one, otherwise by the `Host` header. */
export function guardOf(host: string, token: string | undefined): Guard {
  return token === undefined ? hostGuard(host) : tokenGuard(token)
}

/** Whether a server may listen on a host: only loopback hosts need no token. */
export function isAllowed(host: string, token: string | undefined): boolean {
  return token !== undefined || isLoopback(host)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
