import { Moon, Sun } from 'lucide-react'
import type { ReactNode } from 'react'
import { useSyncExternalStore } from 'react'

const STORAGE_KEY = 'throughline-theme'
const systemDark = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

export type Theme = 'light' | 'dark'

/** The current theme: the chosen one, or the one of the operating system. */
export function themeNow(): Theme {
  const chosen = document.documentElement.dataset['theme']
  if (chosen === 'light' || chosen === 'dark') return chosen
  return systemDark.matches ? 'dark' : 'light'
}

export function restoreTheme(): void {
  const kept = localStorage.getItem(STORAGE_KEY)
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset['theme'] = kept
}

/** Stores the choice. The system's own theme is not stored, so that the page keeps following it. */
function choose(theme: Theme): void {
  const isSystems = theme === (systemDark.matches ? 'dark' : 'light')
  if (isSystems) {
    localStorage.removeItem(STORAGE_KEY)
    delete document.documentElement.dataset['theme']
  } else {
    localStorage.setItem(STORAGE_KEY, theme)
    document.documentElement.dataset['theme'] = theme
  }
  for (const listener of listeners) listener()
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed)
  systemDark.addEventListener('change', changed)
  return () => {
    listeners.delete(changed)
    systemDark.removeEventListener('change', changed)
  }
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, themeNow)
}

export function ThemeSwitch(): ReactNode {
  const theme = useTheme()
  const other = theme === 'dark' ? 'light' : 'dark'
  const name = `Switch to the ${other} theme`
  return (
    <button type="button" className="icon-button" onClick={() => choose(other)} title={name}>
      {theme === 'dark' ? <Sun size={16} aria-hidden /> : <Moon size={16} aria-hidden />}
      <span className="only-spoken">{name}</span>
    </button>
  )
}
