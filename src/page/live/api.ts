// The few questions that the page asks, and the one thing that it may do.
import type { ChainView, Listing, ProblemView } from '../../admin/wire.ts'
import { visible } from '../text/visible.ts'

/** A question with its answer on the way, the answer, or why there is none. */
export type Asked<T> =
  | { readonly is: 'asking' }
  | { readonly is: 'answered'; readonly answer: T }
  | { readonly is: 'refused'; readonly status: number; readonly reason: string }

export async function askChain(id: string): Promise<Asked<ChainView>> {
  return ask<ChainView>(`/admin/chain/${encodeURIComponent(id)}`)
}

/** One page of a list: held keys, operations, the messages of a topic … */
export async function askList<T extends Listing<unknown>>(
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Asked<T>> {
  return ask<T>(`/admin/${path}?${new URLSearchParams(query)}`)
}

/** Pauses or resumes a service; the stream tells when it took effect. */
export async function setPaused(
  service: string,
  isPaused: boolean,
  token: string,
): Promise<Asked<undefined>> {
  const verb = isPaused ? 'pause' : 'resume'
  return ask(`/admin/services/${encodeURIComponent(service)}/${verb}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
}

async function ask<T>(url: string, request?: RequestInit): Promise<Asked<T>> {
  try {
    const response = await fetch(url, request)
    const text = await response.text()
    if (response.ok) {
      return { is: 'answered', answer: (text ? JSON.parse(text) : undefined) as T }
    }
    return { is: 'refused', status: response.status, reason: reasonOf(text, response.statusText) }
  } catch {
    return { is: 'refused', status: 0, reason: 'The system does not answer.' }
  }
}

function reasonOf(text: string, otherwise: string): string {
  try {
    const { detail, title } = JSON.parse(text) as Partial<ProblemView>
    return visible(detail ?? title ?? otherwise)
  } catch {
    return otherwise
  }
}
