const SAME_ORIGIN = new Set(['same-origin', 'none'])

/**
 * Whether a browser marks the request as sent by a page of another origin. Browsers do so in
 * `Sec-Fetch-Site`; old ones, and all without TLS, only in `Origin`. Other clients send neither.
 */
export function isFromOtherSite({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return !SAME_ORIGIN.has(site)
  const origin = headers.get('origin')
  const host = headers.get('host')
  if (origin === null || host === null) return false
  return !URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()
}
