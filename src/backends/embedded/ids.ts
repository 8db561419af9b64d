const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * An id as it is stored: a UUID as its 16 bytes, which keeps the index half as large; any other
 * text, also a UUID in capitals, as it is, so that every id comes back exactly.
 */
export function storedId(id: string): string | Uint8Array {
  return UUID.test(id) ? Buffer.from(id.replaceAll('-', ''), 'hex') : id
}

export function idText(stored: unknown): string {
  if (typeof stored === 'string') return stored
  const { buffer, byteOffset, byteLength } = stored as Uint8Array
  const hex = Buffer.from(buffer, byteOffset, byteLength).toString('hex')
  return (
    `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-` +
    `${hex.slice(16, 20)}-${hex.slice(20)}`
  )
}
