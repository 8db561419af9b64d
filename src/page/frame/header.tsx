import { Search } from 'lucide-react'
import type { ReactNode, SubmitEvent } from 'react'
import { useEffect, useRef } from 'react'
import { useLive } from '../live/live-provider.tsx'
import type { ListName } from '../route/route.ts'
import { navigate, useRoute } from '../route/use-route.ts'
import './frame.css'
import type { Headline } from './headline.ts'
import { Logo } from './logo.tsx'
import { ThemeSwitch } from './theme-switch.tsx'

interface Props {
  readonly headline: Headline
  readonly isCovered: boolean
}

export function Header({ headline, isCovered }: Props): ReactNode {
  return (
    <header className="header" inert={isCovered}>
      <h1>
        <a className="brand" href="#/">
          <Logo width={30} />
          Throughline
        </a>
      </h1>
      <p className="health" data-is={headline.status} role="status">
        <span className="health-dot" aria-hidden />
        {headline.title}
      </p>
      <Lists />
      <SearchField />
      <ThemeSwitch />
    </header>
  )
}

const LISTS = [
  ['ledger', 'Ledger'],
  ['held', 'Held'],
  ['dead', 'Dead letters'],
  ['operations', 'Operations'],
  ['sagas', 'Sagas'],
  ['timers', 'Timers'],
] as const

/** The links to the lists. */
function Lists(): ReactNode {
  const { overview } = useLive()
  const route = useRoute()
  const { services = [] } = overview ?? {}
  const marks: Readonly<Partial<Record<ListName, string>>> = {
    ...(services.some(({ pending }) => pending > 0) ? { held: 'some keys are held' } : {}),
    ...(services.some(({ dead }) => dead > 0) ? { dead: 'there are some' } : {}),
  }
  return (
    <nav className="lists" aria-label="Lists">
      {LISTS.map(([name, text]) => (
        <a
          key={name}
          href={`#/${name}`}
          data-opens={`list:${name}`}
          aria-current={route.kind === 'list' && route.name === name ? 'page' : undefined}
        >
          {text}
          {marks[name] !== undefined && (
            <span className="lists-mark">
              <span className="only-spoken"> ({marks[name]})</span>
            </span>
          )}
        </a>
      ))}
    </nav>
  )
}

function SearchField(): ReactNode {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const jump = (event: KeyboardEvent): void => {
      const isTyping = event.target instanceof Element && event.target.matches('input, select')
      if (event.key !== '/' || isTyping || event.metaKey || event.ctrlKey) return
      event.preventDefault()
      field.current?.focus()
      // The next input replaces the last search text.
      field.current?.select()
    }
    addEventListener('keydown', jump)
    return () => removeEventListener('keydown', jump)
  }, [])
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const text = field.current?.value.trim()
    if (text) navigate({ kind: 'find', text })
  }
  return (
    <form className="search" role="search" onSubmit={submit}>
      <Search size={14} aria-hidden />
      <input
        ref={field}
        type="search"
        placeholder="Find by id or key"
        aria-label="Find by id or key"
        aria-keyshortcuts="/"
        autoComplete="off"
        spellCheck={false}
      />
      <kbd aria-hidden>/</kbd>
    </form>
  )
}
