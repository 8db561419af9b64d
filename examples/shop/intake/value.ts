const DIGITS = /^[0-9]+$/
const DECIMAL = /^([0-9]+)(?:\.([0-9]+))?$/
const INSTANT = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z$/
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * Parses a text of digits only as a number from 1 to `max`. A text above `max` may lose precision, but
 * its number is never below `max`.
 */
export function wholeNumber(text: string, max: number): number | undefined {
  if (!DIGITS.test(text)) return undefined
  const value = Number(text)
  return value >= 1 && value <= max ? value : undefined
}

/**
 * Parses a decimal text such as `2.5` into cents by its digits, without floating point. `bad-price`: not
 * a number, not positive, or above `maxCents`; `bad-pence`: has a fraction of a penny.
 */
export function priceCents(text: string, maxCents: number): number | 'bad-price' | 'bad-pence' {
  const parts = DECIMAL.exec(text)
  if (parts === null) return 'bad-price'
  const fraction = parts[2] ?? ''
  const cents = Number(`${parts[1]}${fraction.slice(0, 2).padEnd(2, '0')}`)
  const hasPartPenny = fraction.length > 2 && /[1-9]/.test(fraction.slice(2))
  if (cents > maxCents || (hasPartPenny && cents === maxCents)) return 'bad-price'
  if (hasPartPenny) return 'bad-pence'
  return cents > 0 ? cents : 'bad-price'
}

/** Whether a text is a valid ISO 8601 instant in UTC: `2010-12-01T08:26:00Z`. */
export function isInstant(text: string): boolean {
  const parts = INSTANT.exec(text)
  if (parts === null) return false
  const part = (index: number): number => Number(parts[index])
  const isTime = part(4) < 24 && part(5) < 60 && part(6) < 60
  return isTime && isDay(part(1), part(2), part(3))
}

function isDay(year: number, month: number, day: number): boolean {
  const isLeapYear = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = month === 2 && isLeapYear ? 29 : (DAYS[month - 1] ?? 0)
  return day >= 1 && day <= days
}
