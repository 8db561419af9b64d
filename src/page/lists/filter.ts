import type { Filter } from '../route/route.ts'

interface Field {
  readonly name: string
  readonly kind: string
}

/** The filled fields of a form, with times in milliseconds as the admin API takes them. */
export function filterFrom(fields: readonly Field[], form: Pick<FormData, 'get'>): Filter {
  const filled = fields.flatMap(({ name, kind }): (readonly [string, string])[] => {
    const given = form.get(name)
    const text = typeof given === 'string' ? given.trim() : ''
    const value = kind === 'time' && text !== '' ? String(new Date(text).getTime()) : text
    return value === '' || value === 'NaN' ? [] : [[name, value]]
  })
  return Object.fromEntries(filled)
}

/** Milliseconds since 1970 as the value of a `datetime-local` input; empty for an invalid time. */
export function localTimeText(ms: string): string {
  const at = new Date(Number(ms === '' ? Number.NaN : ms))
  if (Number.isNaN(at.getTime())) return ''
  const shifted = new Date(at.getTime() - at.getTimezoneOffset() * 60_000)
  return shifted.toISOString().slice(0, 19)
}
