import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './theme.css'
import { App } from './app.tsx'
import { restoreTheme } from './frame/theme-switch.tsx'
import { connect } from './live/connection.ts'
import { LiveFrom } from './live/live.tsx'
import { takeToken, TokenKept } from './token/token.tsx'

restoreTheme()
takeToken()
const connection = connect('/admin/stream')
createRoot(document.querySelector('#page') as HTMLElement).render(
  <StrictMode>
    <LiveFrom connection={connection}>
      <TokenKept>
        <App />
      </TokenKept>
    </LiveFrom>
  </StrictMode>,
)
