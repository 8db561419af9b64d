/** Freezes plain data deeply, in place. */
export function frozen<T>(value: T): T {
  return typeof value === 'object' && value !== null ? frozenObject(value) : value
}

// Most members are not objects: skip them without a function call.
function frozenObject<T extends object>(value: T): T {
  if (Array.isArray(value)) {
    for (const member of value as readonly unknown[])
      if (typeof member === 'object' && member !== null) frozenObject(member)
  } else
    for (const name in value) {
      const member: unknown = value[name]
      if (typeof member === 'object' && member !== null) frozenObject(member)
    }
  return Object.freeze(value)
}
