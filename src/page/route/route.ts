// The route of the page, stored in the fragment of its address.

/** The filter of a list, by the parameter names of the admin API. */
export type Filter = Readonly<Record<string, string>>

const LISTS = ['ledger', 'held', 'dead', 'operations', 'sagas', 'timers'] as const
export type ListName = (typeof LISTS)[number]

export type Route =
  | { readonly kind: 'overview' }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'topic'; readonly name: string; readonly filter: Filter }
  | { readonly kind: 'event'; readonly id: string }
  | { readonly kind: 'find'; readonly text: string }
  | { readonly kind: 'list'; readonly name: ListName; readonly filter: Filter }

export const OVERVIEW: Route = { kind: 'overview' }

/** Parses a fragment. An unknown one is the overview. */
export function routeOf(fragment: string): Route {
  const [, list, listQuery = ''] = /^#\/([a-z]+)(?:\?(.*))?$/.exec(fragment) ?? []
  const name = LISTS.find((each) => each === list)
  if (name) return { kind: 'list', name, filter: filterOf(listQuery) }
  const [, kind, rest = ''] = /^#\/(event|find|service|topic)\/(.+)$/.exec(fragment) ?? []
  if (kind === undefined) return OVERVIEW
  const [path = '', query = ''] = kind === 'topic' ? rest.split('?') : [rest]
  const text = decode(path)
  if (text === undefined) return OVERVIEW
  if (kind === 'event') return { kind: 'event', id: text }
  if (kind === 'find') return { kind: 'find', text }
  return kind === 'service'
    ? { kind: 'service', name: text }
    : { kind: 'topic', name: text, filter: filterOf(query) }
}

export function fragmentOf(route: Route): string {
  switch (route.kind) {
    case 'overview':
      return '#/'
    case 'event':
      return `#/event/${encodeURIComponent(route.id)}`
    case 'find':
      return `#/find/${encodeURIComponent(route.text)}`
    case 'service':
      return `#/service/${encodeURIComponent(route.name)}`
    case 'topic':
      return `#/topic/${encodeURIComponent(route.name)}${queryOf(route.filter)}`
    case 'list':
      return `#/${route.name}${queryOf(route.filter)}`
  }
}

/** A filter as a query string; empty for an empty filter. */
export function queryOf(filter: Filter): string {
  const query = new URLSearchParams(filter).toString()
  return query === '' ? '' : `?${query}`
}

const filterOf = (query: string): Filter => Object.fromEntries(new URLSearchParams(query))

/** The token in a fragment, if it has one. */
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
