// Mounts file systems for tests. Needs root.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`)
}

/** Creates an empty file system in a file. */
export function makeImage(image: string): void {
  run('mkfs.ext4', '-q', '-F', image)
}

export function mountImage(image: string, at: string): void {
  mkdirSync(at, { recursive: true })
  run('mount', '-o', 'loop', image, at)
}

/** Mounts a file system in memory, of the given size. */
export function mountMemory(kibibytes: number, at: string): void {
  mkdirSync(at, { recursive: true })
  run('mount', '-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', at)
}

/** Remounts read-only; only where no file is open for writing. */
export function makeReadOnly(at: string): void {
  run('mount', '-o', 'remount,ro', at)
}

/** Unmounts and flushes to the image; only where no file is open. */
export function unmount(at: string): void {
  run('umount', at)
}

/** Unmounts lazily, also while files are open. */
export function detach(at: string): void {
  run('umount', '-l', at)
}

/** Why file systems cannot be mounted here; `undefined` where they can. */
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
