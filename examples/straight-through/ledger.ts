// The table of every body that came in or went out, folded from the records of both edges.
import type { MessageContext } from 'throughline'
import { projection, queryHandler, service, tool } from 'throughline'
import type { WireRecord } from 'throughline/edges'
import type { Payload } from './contracts.ts'
import { Ledger } from './contracts.ts'
import { upstream } from './service-a.ts'
import { downstream } from './service-b.ts'

const rowOf = (record: WireRecord, _: Payload | undefined, { at }: MessageContext): Payload => ({
  eventId: record.eventId,
  topic: record.topic,
  sourceService: record.source,
  targetService: record.target,
  payload: record.body,
  createdBy: record.direction === 'in' ? record.target : record.source,
  createdAt: at,
})

export const payloads = projection('payloads', { by: 'recordId', row: tool<Payload>() }, (on) => [
  on(upstream.wire.Received, rowOf),
  on(upstream.wire.Sent, rowOf),
  on(downstream.wire.Received, rowOf),
  on(downstream.wire.Sent, rowOf),
])

export const payloadList = queryHandler('payload-list', { of: Ledger, reads: [payloads] }, (on) => [
  on(Ledger.ListPayloads, async (_, read) => {
    const { rows } = await read(payloads).find(undefined, { limit: 1_000 })
    return rows.map(({ row }) => row).toSorted((a, b) => a.createdAt - b.createdAt)
  }),
])

export const ledger = service('ledger', { owns: [Ledger], runs: [payloads, payloadList] })
