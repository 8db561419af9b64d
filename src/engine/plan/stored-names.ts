/** The names that services and their rules are stored under: their ids. */
export interface StoredNames {
  service(name: string): string
  rule(service: string, name: string): string
}

/** For a store where nothing was ever renamed. */
export const SAME_NAMES: StoredNames = { service: (name) => name, rule: (_, name) => name }

/** A service or a rule as the code names it. */
export interface NamedInCode {
  readonly name: string
  readonly renamedFrom?: string
}

/** A stored id, with every name that the code has had for it, the current one last. */
export interface KnownNames {
  readonly id: string
  readonly names: readonly string[]
}

/**
 * Assigns an id to each name. Declared renames come first, then current names, then former names:
 * an instance of older code that starts beside a newer one works on the same rows.
 */
export function assignIds(
  named: readonly NamedInCode[],
  known: readonly KnownNames[],
): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  const taken = new Set<string>()
  const matchers: readonly ((each: NamedInCode, stored: KnownNames) => boolean)[] = [
    ({ name, renamedFrom }, { names }) =>
      names.at(-1) === name && names.some((former) => former === renamedFrom),
    ({ renamedFrom }, { names }) => names.at(-1) === renamedFrom,
    ({ renamedFrom }, { names }) => names.some((name) => name === renamedFrom),
    ({ name }, { names }) => names.at(-1) === name,
    ({ name }, { names }) => names.includes(name),
  ]
  for (const matches of matchers)
    for (const each of named) {
      if (ids.has(each.name)) continue
      const found = known.find((stored) => !taken.has(stored.id) && matches(each, stored))
      if (found) ids.set(each.name, found.id)
      if (found) taken.add(found.id)
    }
  const inUse = new Set(known.map(({ id }) => id))
  for (const { name } of named) if (!ids.has(name)) ids.set(name, unusedId(name, inUse))
  return ids
}

/**
 * Whether `renamedFrom` and the current name are both stored for different things. A name may have
 * passed to something else: names can be swapped, or passed on in a chain.
 */
export function isStoredTwice(
  { name, renamedFrom }: NamedInCode,
  known: readonly KnownNames[],
  all: readonly NamedInCode[],
): boolean {
  const own = known.find(({ names }) => names.at(-1) === name)
  const former = known.some(({ names }) => names.at(-1) === renamedFrom)
  if (!former || !own || own.names.some((each) => each === renamedFrom)) return false
  return ![...assignIds(all, known).values()].includes(own.id)
}

/** Names contain no dot, so a numbered id is never a name. */
function unusedId(name: string, inUse: ReadonlySet<string>): string {
  if (!inUse.has(name)) return name
  let number = 2
  while (inUse.has(`${name}.${number}`)) number += 1
  return `${name}.${number}`
}
