export type { Board } from './board.ts'
export type { Served, ServeOptions } from './serve.ts'
export { serve } from './serve.ts'
