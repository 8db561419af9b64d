/** Freezes plain data deeply, in place. */
export function deepFreeze<T>(value: T): T {
  return typeof value === 'object' && value !== null ? deepFreezeObject(value) : value
}

// Most members are not objects: skip them without a function call.
function deepFreezeObject<T extends object>(value: T): T {
  if (Array.isArray(value)) {
    for (const member of value as readonly unknown[])
      if (typeof member === 'object' && member !== null) deepFreezeObject(member)
  } else
    for (const name in value) {
      const member: unknown = value[name]
      if (typeof member === 'object' && member !== null) deepFreezeObject(member)
    }
  return Object.freeze(value)
}
