import type { Delivered, LineOf, World } from './order-world.ts'

/** What a check watches. Each hook is called before the line is applied to the world. */
export interface OrderWatch {
  onStart?(): void
  onAck?(line: LineOf<'ack'>): void
  onBegin?(line: LineOf<'begin'>, event: Delivered): void
  onCall?(line: LineOf<'call'>, event: Delivered): void
  /** Called for committed units only, in the order in which they were committed. */
  onUnit?(unit: LineOf<'unit'>): void
  afterUnit?(unit: LineOf<'unit'>): void
  onSample?(line: LineOf<'sample'>): void
  onEnd?(): void
}

export interface OrderCheck {
  readonly name: string
  watch(world: World, report: (detail: string) => void): OrderWatch
}
