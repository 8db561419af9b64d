import type { IncomingMessage } from 'node:http'
import type { ServerRequest } from 'srvx'

/** The body of a request. `gone`: the client disconnected before the end of the body. */
export type HttpBody =
  | { readonly status: 'read'; readonly bytes: Uint8Array }
  | { readonly status: 'too-large' }
  | { readonly status: 'gone' }

/** Reads the body of a request. It can be read only once. */
export async function readBody(request: Request, bytesMax: number): Promise<HttpBody> {
  const raw = (request as ServerRequest).runtime?.node?.req
  // On Node, the web stream of the request would cost as much as the rest of the request.
  if (raw) return readIncoming(raw as IncomingMessage, bytesMax)
  try {
    const bytes = await readBytes(request.body, bytesMax)
    return bytes ? { status: 'read', bytes } : { status: 'too-large' }
  } catch {
    return { status: 'gone' }
  }
}

function readIncoming(raw: IncomingMessage, bytesMax: number): Promise<HttpBody> {
  return new Promise((resolve) => {
    if (raw.destroyed) return resolve({ status: 'gone' })
    const chunks: Buffer[] = []
    let length = 0
    raw.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= bytesMax) chunks.push(chunk)
      else {
        // Discard the rest.
        raw.removeAllListeners('data').resume()
        resolve({ status: 'too-large' })
      }
    })
    raw.on('end', () => {
      const [only] = chunks
      resolve({ status: 'read', bytes: only && chunks.length === 1 ? only : Buffer.concat(chunks) })
    })
    raw.on('close', () => resolve({ status: 'gone' }))
  })
}

/** Reads a whole stream; `undefined` if it is longer than `bytesMax`. */
export async function readBytes(
  stream: ReadableStream<Uint8Array> | null,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of stream ?? []) {
    length += chunk.length
    if (length > bytesMax) return undefined
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
