/** Fingerprints: equal inputs give equal digests, on any machine and in any key order. */

import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { storeDigest } from '../data/store/digest.js'
import { EmendError } from '../errors.js'

/** JSON with sorted keys and without undefined members, so that equal values are equal texts. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new EmendError(`a fingerprint cannot hold the number ${value}`)
  }
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
    throw new EmendError(`a fingerprint cannot hold a ${typeof value}`)
  }
  if (value === undefined || value === null) return 'null'
  if (typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return canonicalJson(value.toJSON())
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`)
  return `{${members.join(',')}}`
}

/**
 * SHA-256 (hex) of a value and of the contents of files.
 * @param files files, or folders of which every file counts with its relative name.
 * @param except a folder that does not count, such as one inside an input that results are written to
 */
export function fingerprint(value: unknown, files: readonly string[] = [], except?: string): string {
  const hash = createHash('sha256').update(canonicalJson(value))
  for (const file of files) hash.update(`\n${contentDigest(file, except)}`)
  return hash.digest('hex')
}

/** SHA-256 (hex) of a file's bytes, of a store's edits and preferences, or of a folder's relative names and bytes. Where it lies does not count. */
export function contentDigest(path: string, except?: string): string {
  const hash = createHash('sha256')
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch (cause) {
    throw new EmendError(`${path}: there is no such file or folder`, { cause })
  }
  if (isFolder) {
    const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).map(name => name.replaceAll('\\', '/'))
    for (const name of names.sort()) {
      const inside = join(path, name)
      if (except !== undefined && resolve(inside).startsWith(resolve(except) + sep)) continue
      if (statSync(inside).isFile()) hash.update(`${JSON.stringify(name)} ${contentDigest(inside)}\n`)
    }
    return hash.digest('hex')
  }
  const store = storeDigest(path)
  if (store) return store
  const file = openSync(path, 'r')
  try {
    const chunk = Buffer.alloc(1 << 20)
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) hash.update(chunk.subarray(0, size))
  } finally {
    closeSync(file)
  }
  return hash.digest('hex')
}
