/** Where set-up keeps what it makes: one private folder, and names in it that depend on everything that matters. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The oldest PyTorch whose libtorch the engine speaks to. */
export const OLDEST = '2.10'
/** The PyTorch that set-up installs when it finds none. */
export const PINNED = '2.13.0'

/** The folder of this package: `src/setup` and `dist/setup` stand equally deep in it. */
export const packageFolder = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** `EMEND_HOME`, or `emend` in the user's cache folder. */
export function privateFolder(): string {
  return process.env['EMEND_HOME'] || join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'emend')
}

/** The first 16 hexadecimal digits of the SHA-256 of the parts. */
export function digest(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\0')
  return hash.digest('hex').slice(0, 16)
}

/** The addon's C++ files, in a fixed order. */
export function nativeSources(): string[] {
  const folder = join(packageFolder, 'native')
  if (!existsSync(folder))
    throw new Error(`${folder}: the engine's C++ sources are missing; install @emend/torch again`)
  return readdirSync(folder)
    .filter(name => /\.(cc|h)$/.test(name))
    .sort()
    .map(name => join(folder, name))
}

/** Where the addon for this libtorch belongs; another version, path, platform or source gives another place. */
export function addonPath(libtorch: { folder: string; version: string; stamp: string }): string {
  const key = digest([
    ...nativeSources().map(path => readFileSync(path)),
    libtorch.folder,
    libtorch.version,
    libtorch.stamp,
    `${process.platform}-${process.arch}`,
  ])
  return join(privateFolder(), 'addons', key, 'emend.node')
}
