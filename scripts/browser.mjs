// Finds Chromium for the tests of the page, or installs Debian's. Plain Node without dependencies, as ready.mjs.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome', 'msedge']
const MAC = ['Google Chrome', 'Chromium'].map(name => `/Applications/${name}.app/Contents/MacOS/${name}`)

/** The path of a Chromium, by EMEND_CHROMIUM or in the usual places; undefined where there is none. */
export function findBrowser() {
  const named = process.env.EMEND_CHROMIUM
  if (named) return existsSync(named) ? named : undefined
  const folders = (process.env.PATH ?? '').split(delimiter)
  return [...NAMES.flatMap(name => folders.map(folder => join(folder, name))), ...MAC].find(isProgram)
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** How to install one here without asking anybody; undefined where that cannot be done. */
export function browserInstaller() {
  const isRoot = process.getuid?.() === 0
  if (!isRoot || !existsSync('/etc/debian_version')) return undefined
  return 'apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium'
}

/** Installs it. @returns the path, or undefined where it could not be installed */
export function installBrowser() {
  const installer = browserInstaller()
  if (!installer) return undefined
  spawnSync('sh', ['-c', installer], { stdio: 'ignore', timeout: 10 * 60_000 })
  return findBrowser()
}
