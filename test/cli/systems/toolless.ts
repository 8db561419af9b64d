// Services whose handlers need tools that nobody gives.
export { services } from './equipped.ts'
