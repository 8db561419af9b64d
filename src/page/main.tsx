import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import './theme.css'
import { App } from './app.tsx'
import { restoreTheme } from './frame/theme-switch.tsx'
import { connect } from './live/connection.ts'
import { LiveProvider } from './live/live-provider.tsx'
import { storeTokenFromUrl, OwnerTokenProvider } from './token/owner-token.tsx'

restoreTheme()
storeTokenFromUrl()
const connection = connect('/admin/stream')
createRoot(document.querySelector('#page') as HTMLElement).render(
  <StrictMode>
    <LiveProvider connection={connection}>
      <OwnerTokenProvider>
        <App />
      </OwnerTokenProvider>
    </LiveProvider>
  </StrictMode>,
)
