// Where the page is, as the fragment of its address.

export type Route =
  | { readonly is: 'overview' }
  | { readonly is: 'service'; readonly name: string }
  | { readonly is: 'topic'; readonly name: string }
  | { readonly is: 'event'; readonly id: string }

export const OVERVIEW: Route = { is: 'overview' }

/** Anything unknown is the overview. */
export function routeOf(fragment: string): Route {
  const [, kind, name] = /^#\/(event|service|topic)\/(.+)$/.exec(fragment) ?? []
  const decoded = name === undefined ? undefined : decode(name)
  if (decoded === undefined) return OVERVIEW
  if (kind === 'event') return { is: 'event', id: decoded }
  return { is: kind === 'service' ? 'service' : 'topic', name: decoded }
}

export function fragmentOf(route: Route): string {
  if (route.is === 'overview') return '#/'
  return `#/${route.is}/${encodeURIComponent(route.is === 'event' ? route.id : route.name)}`
}

/** The owner's token where the fragment brings one. */
export function tokenOf(fragment: string): string | undefined {
  const token = new URLSearchParams(fragment.replace(/^#/, '')).get('token')?.trim()
  return token ? token : undefined
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
