// The requests of the page to the admin API.
import type { ChainView, Listing, ProblemView } from '../../admin/wire.ts'
import { visible } from '../text/visible.ts'

/** The state of a request: loading, loaded with its result, or failed. */
export type Asked<T> =
  | { readonly is: 'loading' }
  | { readonly is: 'loaded'; readonly answer: T }
  | Refused

/** A failed request. */
export interface Refused {
  readonly is: 'failed'
  readonly status: number
  readonly reason: string
  /** The issues of the problem, each as text. */
  readonly complaints: readonly string[]
}

export async function askChain(id: string): Promise<Asked<ChainView>> {
  return ask<ChainView>(`/admin/chain/${encodeURIComponent(id)}`)
}

/** Fetches one page of a list: held keys, operations, messages of a topic, and so on. */
export async function askList<T extends Listing<unknown>>(
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Asked<T>> {
  return ask<T>(`/admin/${path}?${new URLSearchParams(query)}`)
}

/** Pauses or resumes a service. The next overview shows the new state. */
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
      return { is: 'loaded', answer: (text ? JSON.parse(text) : undefined) as T }
    }
    return refusedBy(response, text)
  } catch {
    return { is: 'failed', status: 0, reason: 'The system does not answer.', complaints: [] }
  }
}

/** The failure of an error answer, with its title, detail and issues. */
export function refusedBy(
  { status, statusText }: Pick<Response, 'status' | 'statusText'>,
  text: string,
): Refused {
  const { title, detail, complaints = [] } = problemIn(text)
  const said = new Set([title, detail].filter((each) => each !== undefined && each !== ''))
  return {
    is: 'failed',
    status,
    reason: visible(said.size > 0 ? [...said].join(': ') : statusText || `Status ${status}`),
    complaints: complaints.map(({ path, message }) => visible(`${path} ${message}`)),
  }
}

/** The problem in a body; empty if the answer came from something else, such as a proxy. */
function problemIn(text: string): Partial<ProblemView> {
  try {
    return (JSON.parse(text) as Partial<ProblemView> | null) ?? {}
  } catch {
    return {}
  }
}
