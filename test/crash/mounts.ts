// File systems of a test's own. Needs root.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`)
}

/** Makes an empty file system in a file. */
export function makeImage(image: string): void {
  run('mkfs.ext4', '-q', '-F', image)
}

export function mountImage(image: string, at: string): void {
  mkdirSync(at, { recursive: true })
  run('mount', '-o', 'loop', image, at)
}

/** A file system in memory, of a size. */
export function mountMemory(kibibytes: number, at: string): void {
  mkdirSync(at, { recursive: true })
  run('mount', '-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', at)
}

/** From now on nothing can be changed there; only where no file is open for writing. */
export function makeReadOnly(at: string): void {
  run('mount', '-o', 'remount,ro', at)
}

/** Only where no file is open any more: whatever was written is in the image after it. */
export function unmount(at: string): void {
  run('umount', at)
}

/** Whatever is open there: nobody sees it any more. */
export function letGo(at: string): void {
  run('umount', '-l', at)
}

/** Why nothing can be mounted here; nothing where it can. */
export function whyNoMounts(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root, to mount a file system'
  try {
    const at = mkdtempSync(join(tmpdir(), 'throughline-probe-'))
    mountMemory(64, at)
    unmount(at)
    rmdirSync(at)
    return undefined
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'nothing can be mounted'
  }
}
