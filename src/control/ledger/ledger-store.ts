import { Fault } from '../../base/errors/fault.ts'
import { listOptionFault } from '../../engine/listing/index.ts'
import type { EventStore } from '../../ports/event-store.ts'
import type { System } from '../system.ts'

/** @throws Fault `BACKEND_CANNOT` */
export function ledgerOf({ backend: { store } }: System): NonNullable<EventStore['ledger']> {
  if (!store.ledger) throw new Fault('BACKEND_CANNOT', { detail: 'the ledger' })
  return (query) => (store.ledger as NonNullable<EventStore['ledger']>)(query)
}

/** @throws Fault `BACKEND_CANNOT` */
export function payloadsOf({ backend: { store } }: System): NonNullable<EventStore['payloads']> {
  if (!store.payloads) throw new Fault('BACKEND_CANNOT', { detail: 'the ledger' })
  return (query) => (store.payloads as NonNullable<EventStore['payloads']>)(query)
}

/** A cursor of the store as text: a position, and the name of a consumer or service. */
export const placeText = (position: number, name: string): string => `${position}:${name}`

/** @throws Fault `OPTION_INVALID` */
export function parsePlace(text: string): { readonly position: number; readonly name: string } {
  const [, position, name] = /^(\d{1,16}):([^]*)$/.exec(text) ?? []
  if (position === undefined || name === undefined)
    throw listOptionFault('after', 'must be the next of an earlier page')
  return { position: Number(position), name }
}
