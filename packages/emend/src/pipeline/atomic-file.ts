/** Files that are there whole or not at all, even after a power cut. */

import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Writes a file that is there whole or not at all; see {@link writingAtomically}. */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  writingAtomically(path, file => writeFileSync(file, content))
}

/**
 * Lets `write` fill a temporary file beside `path`, syncs it, and renames it into place. Makes the folder if need be.
 * @param write is given the file's descriptor
 */
export function writingAtomically(path: string, write: (file: number) => void): void {
  const folder = dirname(path)
  makeFolder(folder)
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const file = openSync(temporary, 'wx')
    try {
      write(file)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(folder)
}

/**
 * Makes a folder and those above it. Node's own way of doing it never returns where the system says that a folder which is there
 * is not, as `/proc` does.
 *
 * @throws the system's error where one cannot be made
 */
export function makeFolder(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return
  if (dirname(path) !== path) makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(path) || !statSync(path).isDirectory()) throw error
  }
}

/** Makes a rename inside `folder` last. Windows cannot open a folder; there the rename itself is all there is. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const file = openSync(folder, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
