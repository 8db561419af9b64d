/** The longest text that is useful as an example. */
const LENGTH_MAX = 256

const ASCII = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
/** Candidates for a character class, tried in this order. */
const CHARACTERS = ['a', 'A', '1', '-', ...ASCII, 'é']

/** The position while a regular expression is read. */
interface PatternReader {
  readonly source: string
  at: number
}

/**
 * A text that matches a pattern of groups, alternatives, character classes and quantifiers. `undefined`
 * if none is found, for example for patterns with lookaround or backreferences.
 */
export function patternSample(source: string): string | undefined {
  const pattern = compiledPattern(source)
  if (!pattern) return undefined
  const reading: PatternReader = { source, at: 0 }
  const text = readAlternatives(reading)
  const isWhole = text !== undefined && reading.at === source.length
  return isWhole && text.length <= LENGTH_MAX && pattern.test(text) ? text : undefined
}

function compiledPattern(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'u')
  } catch {
    return undefined
  }
}

/** A text for the first alternative that has one. */
function readAlternatives(reading: PatternReader): string | undefined {
  let text = readSequence(reading)
  while (reading.source[reading.at] === '|') {
    reading.at += 1
    const other = readSequence(reading)
    text ??= other
  }
  return text
}

function readSequence(reading: PatternReader): string | undefined {
  const { source } = reading
  let text: string | undefined = ''
  while (reading.at < source.length && !/[|)]/.test(source[reading.at] as string)) {
    const part = readPart(reading)
    const count = readCount(reading)
    if (part === undefined || part.length * count > LENGTH_MAX) text = undefined
    else if (text !== undefined) text += part.repeat(count)
  }
  return text
}

function readPart(reading: PatternReader): string | undefined {
  const { source } = reading
  const rest = source.slice(reading.at)
  if (rest.startsWith('(')) {
    const opening = /^\((?:\?(?::|<[A-Za-z_]\w*>))?/.exec(rest)?.[0] as string
    const looksAround = opening === '(' && rest[1] === '?'
    reading.at += looksAround ? /^\(\?<?[=!]?/.exec(rest)![0].length : opening.length
    const text = readAlternatives(reading)
    reading.at += 1
    return looksAround ? undefined : text
  }
  const token =
    /^(?:\[\^?(?:\\.|[^\]\\])*\]|\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u.{4}|\\x..|\\.|[^])/u.exec(rest)
  reading.at += token?.[0].length ?? 1
  return sampleCharacter(token?.[0] ?? '')
}

/** A character that a token matches; empty for an assertion. */
function sampleCharacter(token: string): string | undefined {
  if (['^', '$', '\\b'].includes(token)) return ''
  const pattern = compiledPattern(`^${token}$`)
  return [...CHARACTERS, ...Array.from(token)].find((each) => pattern?.test(each))
}

/** The least count of a quantifier, but 1 if that is allowed. */
function readCount(reading: PatternReader): number {
  const found = /^(?:[*+?]|\{(\d+)(?:,(\d*))?\})\??/.exec(reading.source.slice(reading.at))
  if (!found) return 1
  reading.at += found[0].length
  const [, least, most] = found
  if (least === undefined) return 1
  return most === undefined ? Number(least) : Math.max(Number(least), most === '0' ? 0 : 1)
}
