import { useSyncExternalStore } from 'react'
import type { Route } from './route.ts'
import { fragmentOf, routeOf } from './route.ts'

function subscribe(changed: () => void): () => void {
  addEventListener('hashchange', changed)
  return () => removeEventListener('hashchange', changed)
}

export function useRoute(): Route {
  return routeOf(useSyncExternalStore(subscribe, () => location.hash))
}

export function navigate(route: Route): void {
  location.hash = fragmentOf(route)
}
