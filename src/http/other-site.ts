const OWN = new Set(['same-origin', 'none'])

/**
 * Whether a browser says that a page of another origin sends this. It says so in `Sec-Fetch-Site`;
 * older ones, and those without TLS, only in `Origin`. What is no browser sends neither.
 */
export function isFromOtherSite({ headers }: Request): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return !OWN.has(site)
  const origin = headers.get('origin')
  const host = headers.get('host')
  if (origin === null || host === null) return false
  return !URL.canParse(origin) || new URL(origin).host !== host.toLowerCase()
}
