export type { Board } from './board.ts'
export type { AppServer, ServeOptions } from './serve.ts'
export { serve } from './serve.ts'
