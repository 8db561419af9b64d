// The few questions that the page asks, and the one thing that it may do.
import type { ChainView, Listing, ProblemView } from '../../admin/wire.ts'
import { visible } from '../text/visible.ts'

/** A question with its answer on the way, the answer, or why there is none. */
export type Asked<T> =
  | { readonly is: 'asking' }
  | { readonly is: 'answered'; readonly answer: T }
  | Refused

/** Why there is no answer. */
export interface Refused {
  readonly is: 'refused'
  readonly status: number
  readonly reason: string
  /** What is wrong, one by one. */
  readonly complaints: readonly string[]
}

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
    return refusedBy(response, text)
  } catch {
    return { is: 'refused', status: 0, reason: 'The system does not answer.', complaints: [] }
  }
}

/** All that an error says: what it is, what it says of this case, and its complaints. */
export function refusedBy(
  { status, statusText }: Pick<Response, 'status' | 'statusText'>,
  text: string,
): Refused {
  const { title, detail, complaints = [] } = problemIn(text)
  const said = new Set([title, detail].filter((each) => each !== undefined && each !== ''))
  return {
    is: 'refused',
    status,
    reason: visible(said.size > 0 ? [...said].join(': ') : statusText || `Status ${status}`),
    complaints: complaints.map(({ path, message }) => visible(`${path} ${message}`)),
  }
}

/** Nothing where somebody else has answered, such as a proxy. */
function problemIn(text: string): Partial<ProblemView> {
  try {
    return (JSON.parse(text) as Partial<ProblemView> | null) ?? {}
  } catch {
    return {}
  }
}
