// The requests of the page to the admin API.
import type { ChainView, ListPage, ProblemView } from '../../admin/wire.ts'
import { showInvisible } from '../text/show-invisible.ts'

/** The state of a request: loading, loaded with its result, or failed. */
export type RequestState<T> =
  | { readonly status: 'loading' }
  | { readonly status: 'loaded'; readonly answer: T }
  | RequestFailure

/** A failed request. */
export interface RequestFailure {
  readonly status: 'failed'
  readonly httpStatus: number
  readonly reason: string
  readonly issues: ProblemView['issues']
}

/** What a write needs: the token, and the name of who asks. */
export interface Credentials {
  readonly token: string
  readonly by: string
}

export async function fetchChain(id: string): Promise<RequestState<ChainView>> {
  return ask<ChainView>(`/admin/chain/${encodeURIComponent(id)}`)
}

/** Fetches one page of a list: held keys, operations, messages of a topic, and so on. */
export async function fetchList<T extends ListPage<unknown>>(
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<RequestState<T>> {
  return fetchFrom<T>(path, query)
}

export async function fetchFrom<T>(
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<RequestState<T>> {
  return ask<T>(`/admin/${path}?${new URLSearchParams(query)}`)
}

/** Sends a write. */
export async function postTo<T>(
  path: string,
  given: object,
  { token, by }: Credentials,
): Promise<RequestState<T>> {
  return ask<T>(`/admin/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...given, by }),
  })
}

/** Pauses or resumes a service. The next overview shows the new state. */
export async function setPaused(
  service: string,
  isPaused: boolean,
  credentials: Credentials,
): Promise<RequestState<undefined>> {
  const verb = isPaused ? 'pause' : 'resume'
  return postTo(`services/${encodeURIComponent(service)}/${verb}`, {}, credentials)
}

async function ask<T>(url: string, request?: RequestInit): Promise<RequestState<T>> {
  try {
    const response = await fetch(url, request)
    const text = await response.text()
    if (response.ok) {
      return { status: 'loaded', answer: (text ? JSON.parse(text) : undefined) as T }
    }
    return failureFrom(response, text)
  } catch {
    return { status: 'failed', httpStatus: 0, reason: 'The system does not answer.', issues: [] }
  }
}

/** The failure of an error answer, with its title, detail and issues. */
export function failureFrom(
  { status, statusText }: Pick<Response, 'status' | 'statusText'>,
  text: string,
): RequestFailure {
  const { title, detail, issues = [] } = problemIn(text)
  const said = new Set([title, detail].filter((each) => each !== undefined && each !== ''))
  return {
    status: 'failed',
    httpStatus: status,
    reason: showInvisible(said.size > 0 ? [...said].join(': ') : statusText || `Status ${status}`),
    issues: issues.map(({ path, message }) => ({
      path: showInvisible(path),
      message: showInvisible(message),
    })),
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
