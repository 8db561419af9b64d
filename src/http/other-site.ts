import type { HttpRequest } from './message.ts'

const OWN = new Set(['same-origin', 'none'])

/**
 * Whether a browser says that a page of another origin sends this. It says so in `Sec-Fetch-Site`;
 * older ones, and those without TLS, only in `Origin`. What is no browser sends neither.
 */
export function isFromOtherSite(request: HttpRequest): boolean {
  const site = request.header('sec-fetch-site')
  if (site !== undefined) return !OWN.has(site)
  const origin = request.header('origin')
  const host = request.header('host')
  if (origin === undefined || host === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()
}
