import { Search } from 'lucide-react'
import type { ReactNode, SubmitEvent } from 'react'
import { useEffect, useRef } from 'react'
import { go } from '../route/use-route.ts'
import './frame.css'
import type { Headline } from './headline.ts'
import { Mark } from './mark.tsx'
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
          <Mark width={30} />
          Throughline
        </a>
      </h1>
      <p className="health" data-is={headline.is} role="status">
        <span className="health-dot" aria-hidden />
        {headline.title}
      </p>
      <SearchField />
      <ThemeSwitch />
    </header>
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
      // What is typed next takes the place of what was looked for before.
      field.current?.select()
    }
    addEventListener('keydown', jump)
    return () => removeEventListener('keydown', jump)
  }, [])
  const submit = (event: SubmitEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const id = field.current?.value.trim()
    if (id) go({ is: 'event', id })
  }
  return (
    <form className="search" role="search" onSubmit={submit}>
      <Search size={14} aria-hidden />
      <input
        ref={field}
        type="search"
        placeholder="Find an event by its id"
        aria-label="Find an event by its id"
        aria-keyshortcuts="/"
        autoComplete="off"
        spellCheck={false}
      />
      <kbd aria-hidden>/</kbd>
    </form>
  )
}
