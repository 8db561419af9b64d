// The data directory of a run. A marker file names its input, so that two inputs are never mixed.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from 'throughline'
import { embedded } from 'throughline/embedded'

/** The input that a directory belongs to. */
export interface Origin {
  readonly contentHash: string
  readonly openingStock: number
}

interface Marker extends Origin {
  readonly format: 1
  readonly made: 'throughline shop'
}

const markerName = 'shop.json'

/** A directory that cannot be used as it is; the message says what to do. */
export class DirectoryRefused extends Error {
  override readonly name = 'DirectoryRefused'
}

/** The directory of the log. */
export const logDirectory = (directory: string): string => join(directory, 'log')

function markerIn(directory: string): Marker | undefined {
  const path = join(directory, markerName)
  if (!existsSync(path)) return undefined
  try {
    const marker = JSON.parse(readFileSync(path, 'utf8')) as Marker
    return marker.made === 'throughline shop' ? marker : undefined
  } catch {
    return undefined
  }
}

/** Prepares the directory for an input. @throws DirectoryRefused, with the cure */
export async function prepare(directory: string, origin: Origin): Promise<void> {
  const marker = markerIn(directory)
  if (!marker) {
    if (existsSync(directory) && readdirSync(directory).length > 0)
      throw new DirectoryRefused(
        `${directory} is not empty and holds no data of the shop. Name another one with --data.`,
      )
    await mkdir(directory, { recursive: true })
    const made: Marker = { format: 1, made: 'throughline shop', ...origin }
    await writeFile(join(directory, markerName), `${JSON.stringify(made)}\n`)
    return
  }
  const isSame =
    marker.contentHash === origin.contentHash && marker.openingStock === origin.openingStock
  if (!isSame)
    throw new DirectoryRefused(
      `${directory} belongs to another input or another --stock. Name another directory ` +
        `with --data, or start over with --fresh.`,
    )
}

/**
 * Deletes a data directory of the shop, unless another process uses it.
 *
 * @throws DirectoryRefused, Fault `DATA_OWNED`
 */
export async function startOver(directory: string): Promise<void> {
  if (!existsSync(directory)) return
  if (!markerIn(directory) && readdirSync(directory).length > 0)
    throw new DirectoryRefused(
      `--fresh deletes only a shop's data, and ${directory} holds something else. ` +
        `Name another one with --data.`,
    )
  await mustBeFree(logDirectory(directory))
  await rm(directory, { recursive: true })
}

/** Throws only if the directory is in use; data that cannot be opened for another reason is deleted. */
async function mustBeFree(directory: string): Promise<void> {
  if (!existsSync(directory)) return
  const { log } = embedded({ directory })
  try {
    await log.open()
  } catch (cause) {
    if (cause instanceof Fault && cause.code === 'DATA_OWNED') throw cause
  }
  await log.close()
}
