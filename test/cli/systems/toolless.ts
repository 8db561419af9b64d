// Services whose handlers need tools, without the tools.
export { services } from './equipped.ts'
