import type { ReactNode } from 'react'
import { useEffect, useRef } from 'react'
import { ChainPanel } from '../chain/chain-panel.tsx'
import { FindPanel } from '../lists/find-panel.tsx'
import { PanelByListName } from '../lists/panel-by-list-name.tsx'
import type { Route } from '../route/route.ts'
import { OVERVIEW } from '../route/route.ts'
import { navigate, useRoute } from '../route/use-route.ts'
import './panel.css'
import { ServicePanel } from './service-panel.tsx'
import { TopicPanel } from './topic-panel.tsx'

/** The panel of the current route. Esc closes it and returns the focus. */
export function RoutePanel(): ReactNode {
  const route = useRoute()
  useFocusReturned(route)
  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      const isElsewhere = event.defaultPrevented || document.querySelector('dialog[open]')
      if (event.key === 'Escape' && !isElsewhere && route.kind !== 'overview') navigate(OVERVIEW)
    }
    addEventListener('keydown', close)
    return () => removeEventListener('keydown', close)
  }, [route.kind])
  if (route.kind === 'service') return <ServicePanel key={route.name} name={route.name} />
  if (route.kind === 'topic')
    return <TopicPanel key={route.name} name={route.name} filter={route.filter} />
  if (route.kind === 'event') return <ChainPanel key={route.id} id={route.id} />
  if (route.kind === 'find') return <FindPanel key={route.text} text={route.text} />
  if (route.kind === 'list')
    return <PanelByListName key={route.name} name={route.name} filter={route.filter} />
  return null
}

/** Returns the focus to the element that opened the first panel when the last one closes. */
function useFocusReturned(route: Route): void {
  const opener = useRef<{ readonly element: Element | null; readonly opens: string | undefined }>(
    undefined,
  )
  const isOpen = route.kind !== 'overview'
  useEffect(() => {
    if (!isOpen) return
    const element = document.activeElement
    const opens = element instanceof HTMLElement ? element.dataset['opens'] : undefined
    opener.current = { element, opens }
    return () => {
      const known = opener.current
      // If the element is gone, focus another one that opens the same panel.
      const same =
        known?.opens && document.querySelector(`[data-opens="${CSS.escape(known.opens)}"]`)
      const target = known?.element?.isConnected ? known.element : same
      if (target instanceof HTMLElement) target.focus({ preventScroll: true })
    }
  }, [isOpen])
}
