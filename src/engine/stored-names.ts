/** The names that services and their rules are stored under: their ids. */
export interface StoredNames {
  service(name: string): string
  rule(service: string, name: string): string
}

/** Where nothing was ever renamed. */
export const SAME_NAMES: StoredNames = { service: (name) => name, rule: (_, name) => name }

/** What code calls a service or a rule. */
export interface Named {
  readonly name: string
  readonly renamedFrom?: string
}

/** What is stored under an id, with every name that code has had for it, today's last. */
export interface KnownNames {
  readonly id: string
  readonly names: readonly string[]
}

/**
 * The id of each name. Who was renamed comes first, then who has the name today, then who had it
 * once: an instance of the former code that starts beside the new one works on the same rows.
 */
export function idsFor(
  named: readonly Named[],
  known: readonly KnownNames[],
): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  const taken = new Set<string>()
  const ways: readonly ((each: Named, stored: KnownNames) => boolean)[] = [
    ({ name, renamedFrom }, { names }) =>
      names.at(-1) === name && names.some((former) => former === renamedFrom),
    ({ renamedFrom }, { names }) => names.at(-1) === renamedFrom,
    ({ renamedFrom }, { names }) => names.some((name) => name === renamedFrom),
    ({ name }, { names }) => names.at(-1) === name,
    ({ name }, { names }) => names.includes(name),
  ]
  for (const isIts of ways)
    for (const each of named) {
      if (ids.has(each.name)) continue
      const found = known.find((stored) => !taken.has(stored.id) && isIts(each, stored))
      if (found) ids.set(each.name, found.id)
      if (found) taken.add(found.id)
    }
  const inUse = new Set(known.map(({ id }) => id))
  for (const { name } of named) if (!ids.has(name)) ids.set(name, unusedId(name, inUse))
  return ids
}

/**
 * Whether both names of something that says `renamedFrom` are stored, each for something else. What is
 * stored under its own name may go to another: names can be swapped, or go on in a row.
 */
export function isStoredTwice(
  { name, renamedFrom }: Named,
  known: readonly KnownNames[],
  all: readonly Named[],
): boolean {
  const own = known.find(({ names }) => names.at(-1) === name)
  const former = known.some(({ names }) => names.at(-1) === renamedFrom)
  if (!former || !own || own.names.some((each) => each === renamedFrom)) return false
  return ![...idsFor(all, known).values()].includes(own.id)
}

/** No name has a dot in it, so that a numbered one is nobody's name. */
function unusedId(name: string, inUse: ReadonlySet<string>): string {
  if (!inUse.has(name)) return name
  let number = 2
  while (inUse.has(`${name}.${number}`)) number += 1
  return `${name}.${number}`
}
