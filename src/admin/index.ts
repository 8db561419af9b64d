export type { Board } from './admin.ts'
export type { Served, ServeOptions } from './serve.ts'
export { serve } from './serve.ts'
