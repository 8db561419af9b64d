import type { ReactNode } from 'react'
import { useEffect, useRef } from 'react'
import { ChainPanel } from '../chain/chain-panel.tsx'
import { FindPanel } from '../lists/find-panel.tsx'
import { ListPanelOf } from '../lists/list-panels.tsx'
import type { Route } from '../route/route.ts'
import { OVERVIEW } from '../route/route.ts'
import { go, useRoute } from '../route/use-route.ts'
import './panel.css'
import { ServicePanel } from './service-panel.tsx'
import { TopicPanel } from './topic-panel.tsx'

/** The panel of the current route. Esc closes it and returns the focus. */
export function Panels(): ReactNode {
  const route = useRoute()
  useFocusReturned(route)
  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      const isElsewhere = event.defaultPrevented || document.querySelector('dialog[open]')
      if (event.key === 'Escape' && !isElsewhere && route.is !== 'overview') go(OVERVIEW)
    }
    addEventListener('keydown', close)
    return () => removeEventListener('keydown', close)
  }, [route.is])
  if (route.is === 'service') return <ServicePanel key={route.name} name={route.name} />
  if (route.is === 'topic')
    return <TopicPanel key={route.name} name={route.name} filter={route.filter} />
  if (route.is === 'event') return <ChainPanel key={route.id} id={route.id} />
  if (route.is === 'find') return <FindPanel key={route.text} text={route.text} />
  if (route.is === 'list')
    return <ListPanelOf key={route.name} name={route.name} filter={route.filter} />
  return null
}

/** Returns the focus to the element that opened the first panel when the last one closes. */
function useFocusReturned(route: Route): void {
  const opener = useRef<{ readonly element: Element | null; readonly opens: string | undefined }>(
    undefined,
  )
  const isOpen = route.is !== 'overview'
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
