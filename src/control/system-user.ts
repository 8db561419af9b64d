import { userInfo } from 'node:os'

/** The user that this process runs as; its number if it has no name. */
export function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    // In a container, the user may have no entry in the list of users.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
